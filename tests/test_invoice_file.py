"""The upstream's invoice as a file against the ledger, day by day."""

import pytest
from stores import Place, execute, intent, run

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.proxy import accounts
from swsllm_nb.proxy.invoice_file import InvoiceDay, compared, read_invoice, total
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.store import KeyHolder, Store

DAY = "{0},{1},2026-11-0{2}T00:00:00+00:00,2026-11-0{3}T00:00:00+00:00,{4},usd,{5}"
OPENAI = "\r\n".join(
    (
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item",
        DAY.format(1793577600, 1793664000, 2, 3, "0.0000015", '"gpt-4o, input"'),
        DAY.format(1793577600, 1793664000, 2, 3, "1e-06", '"gpt-4o, output"'),
        DAY.format(1793664000, 1793750400, 3, 4, "0.10000000000000000555", ""),
    )
)


def test_the_providers_own_export_is_read_and_added_up_by_day() -> None:
    assert read_invoice(OPENAI.encode()) == {
        "2026-11-02": 2_500_000,
        "2026-11-03": PICO_PER_USD // 10,
    }


def test_days_with_amounts_typed_by_hand_are_read() -> None:
    for text in (
        "2026-11-02,1.25\n2026-11-02,0.25\n",
        "2026-11-02;gpt-4o;1,25\n2026-11-02;o3-mini;0,25\n",
        "\ufeffday,model,usd\n2026-11-02,gpt-4o,$1.50\n\n",
        "date,amount\n1793577600,1.5\n",
        "date,amount\r2026-11-02,1.5\r",
    ):
        assert read_invoice(text.encode()) == {"2026-11-02": 3 * PICO_PER_USD // 2}, text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no line with a day"),
        ("name,amount\nx,1\n", "no column with a day"),
        ("day,model\n2026-11-02,x\n", "no column with an amount"),
        ("day,usd\n2026-11-32,1\n", r"Line 2 of the invoice: '2026-11-32' is not a day"),
        ("day,usd\n2026-11-02,=1+1\n", r"Line 2 .*'=1\+1' is no amount in dollars"),
        ("day,usd\n2026-11-02,NaN\n", "no amount in dollars"),
        ("day,usd\n2026-11-02,1e999\n", "no amount in dollars"),
        ("day,usd,currency\n2026-11-02,1,eur\n", "Line 2 of the invoice is not in US dollars"),
        ("day,model,usd\n2026-11-02\n", "Line 2 of the invoice is shorter"),
        ("\0\xff", "no column with a day"),
        ("day,usd\n2026-11-02," + "1" * 200_000, "Line 2 of the file cannot be read as CSV"),
    ],
)
def test_what_is_no_invoice_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_invoice(text.encode("latin-1"))


def test_each_day_says_between_what_the_bill_should_be(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        for number, (day, state, pico) in enumerate(
            (
                (2, "settled", 100), (2, "unconfirmed", 40), (3, "settled", 7),
                (4, "unconfirmed", 50), (9, "settled", 1),
            )
        ):  # fmt: skip
            hold = await store.reserve(intent(ada, number, pico))
            await store.close_hold(hold, Outcome(state, pico))  # type: ignore[arg-type]
            moved = "UPDATE ledger SET at = $1 WHERE request_id = $2"
            await execute(store, moved, f"2026-11-0{day}T12:00:00Z", f"req_{number}")
        await store.write(lambda: accounts.credit("req_3", "away", "a test"))
        moved = "UPDATE ledger SET at = '2026-11-04T13:00:00Z' WHERE kind = 'adjustment'"
        await execute(store, moved)
        billed = {"2026-11-02": 150, "2026-11-04": 20, "2026-11-05": 3}
        expected = [
            InvoiceDay("2026-11-02", 150, 100, 140), InvoiceDay("2026-11-03", 0, 7, 7),
            InvoiceDay("2026-11-04", 20, 0, 50), InvoiceDay("2026-11-05", 3, 0, 0),
        ]  # fmt: skip
        for _ in range(2):
            days = await store.read(lambda: compared(billed))
            assert days == expected
            assert [(day.above_pico, day.below_pico) for day in days] == [
                (10, 0), (0, 7), (0, 0), (3, 0),
            ]  # fmt: skip
            assert total(days) == InvoiceDay("in all", 173, 107, 197)
            await store.sum_up()

    run(place, act)
