"""Receipts: what a student was charged, to the pico-dollar, and for what."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from stores import Place, execute, intent, run

from swsllm_nb import pricing
from swsllm_nb.pricing import LongPrompts, Prices, Rates
from swsllm_nb.proxy import accounts, receipts
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.receipts import Day, Line, Receipt, Wanted
from swsllm_nb.proxy.store import KeyHolder, Store
from swsllm_nb.wire import Usage

PRICES = Prices(input_pico=3, output_pico=5, cached_input_pico=1)
USAGE = Usage(prompt_tokens=10, completion_tokens=4, cached_tokens=6)


async def some_calls(store: Store, holder: KeyHolder) -> None:
    """A settled, a released, an unconfirmed and a running call."""
    plain = intent(holder, 1, 100)
    priced = replace(plain, model=replace(plain.model, prices=PRICES))
    settled = await store.reserve(priced)
    await store.close_hold(settled, Outcome("settled", pricing.cost(PRICES, USAGE), USAGE))
    await store.close_hold(await store.reserve(intent(holder, 2, 50)), Outcome("released", 0))
    await store.close_hold(await store.reserve(intent(holder, 3, 50)), Outcome("unconfirmed", 50))
    await store.reserve(intent(holder, 4, 20))


async def shown(store: Store, holder: KeyHolder, **wanted: str) -> list[Receipt]:
    asked = Wanted(**wanted)
    return (await store.read(lambda: receipts.receipts(holder.account.id, asked))).receipts


def test_a_receipt_says_for_how_many_tokens_at_which_price_and_adds_up(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await some_calls(store, holder)
        running, unconfirmed, released, settled, granted = await shown(store, holder)
        assert settled.lines == (
            Line("input", 4, 3), Line("cached input", 6, 1), Line("output", 4, 5),
        )  # fmt: skip
        assert sum(line.amount_pico for line in settled.lines) == settled.amount_pico == 38
        assert (settled.status, settled.request_id, settled.usage) == ("settled", "req_1", USAGE)
        assert (released.status, released.amount_pico, released.lines) == ("released", 0, ())
        assert (unconfirmed.status, unconfirmed.creditable_pico) == ("unconfirmed", 50)
        assert (running.status, running.amount_pico, running.hold_pico) == ("held", 0, 20)
        assert (granted.status, granted.amount_pico, granted.reason) == (
            "grant", 1000, "first budget",
        )  # fmt: skip

    run(place, act)


def test_a_credit_names_its_call_and_the_call_says_that_it_was_credited(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await some_calls(store, holder)
        await store.write(lambda: accounts.credit("req_3", "the upstream was away", "a test"))
        (credit,) = await shown(store, holder, status="adjustment")
        assert (credit.request_id, credit.amount_pico, credit.reason, credit.author) == (
            "req_3", -50, "the upstream was away", "a test",
        )  # fmt: skip
        (call,) = await shown(store, holder, status="unconfirmed")
        assert (call.adjusted_pico, call.creditable_pico) == (-50, 0)
        assert credit.model == call.model

    run(place, act)


def test_receipts_are_filtered_and_come_page_by_page_newest_first(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await some_calls(store, holder)
        moved = "UPDATE ledger SET at = $1 WHERE request_id = 'req_1'"
        await execute(store, moved, "2026-01-02T00:00:00.000000Z")
        january = await shown(store, holder, since="2026-01-02", until="2026-01-03")
        assert [receipt.request_id for receipt in january] == ["req_1"]
        assert len(await shown(store, holder, model=holder_model(holder))) == 4
        assert await shown(store, holder, model="gpt-none") == []
        ids: list[int] = []
        before: int | None = None
        while True:
            page = await store.read(
                lambda before=before: receipts.receipts(  # type: ignore[misc]
                    holder.account.id, before_id=before, limit=2
                )
            )
            ids += [receipt.id for receipt in page.receipts]
            before = page.next_before_id
            if before is None:
                break
        assert ids == [5, 4, 3, 2, 1]

    run(place, act)


def test_the_charges_that_can_be_asked_back_are_those_nobody_looked_at_yet(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        for number in range(5):
            hold = await store.reserve(intent(holder, number, 10))
            await store.close_hold(hold, Outcome("unconfirmed", 10, doubt=Doubt.NO_USAGE))
        for request_id in ("req_2", "req_3", "req_4"):
            await store.write(lambda one=request_id: accounts.credit(one, "a test", "a test"))  # type: ignore[misc]
        asked = await store.read(lambda: receipts.unconfirmed(holder.account.id, limit=1))
        assert (asked.calls, asked.amount_pico) == (2, 20)
        assert [(call.request_id, call.reason) for call in asked.newest] == [
            ("req_1", Doubt.NO_USAGE)
        ]

    run(place, act)


def holder_model(holder: KeyHolder) -> str:
    return intent(holder, 0, 1).model.id


def test_the_burn_down_and_the_spend_by_model_are_the_same_summed_up_or_not(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await some_calls(store, holder)
        for at, row in (("2026-01-02", "'req_1'"), ("2026-01-05", "'req_3'")):
            await execute(store, f"UPDATE ledger SET at = $1 WHERE request_id = {row}", at)
        await execute(store, "UPDATE ledger SET at = '2026-01-01' WHERE kind = 'grant'")
        today = "SELECT substr(at, 1, 10) AS day FROM ledger WHERE request_id = 'req_2'"
        (row,) = await execute(store, today)
        for _ in range(2):
            days = await store.read(lambda: receipts.burn_down(holder.account.id))
            assert days == [
                Day("2026-01-01", 1000, 0), Day("2026-01-02", 0, 38), Day("2026-01-05", 0, 50),
                Day(row["day"], 0, 0),
            ]  # fmt: skip
            (spent,) = await store.read(lambda: receipts.spend_by_model(holder.account.id))
            assert (spent.model, spent.calls, spent.amount_pico) == (holder_model(holder), 4, 88)
            assert (spent.prompt_tokens, spent.completion_tokens) == (10, 4)
            await store.sum_up()

    run(place, act)


rate = st.integers(0, 10**8)
maybe = st.none() | rate
rates = st.builds(Rates, rate, rate, maybe, maybe)
prices = st.builds(
    Prices, rate, rate, maybe, maybe,
    st.none() | st.builds(LongPrompts, st.integers(0, 2000), rates),
)  # fmt: skip
count = st.integers(0, 1000)


@given(prices, count, count, count, count)
def test_the_lines_of_a_receipt_are_what_a_call_costs(
    prices: Prices, plain: int, cached: int, written: int, output: int
) -> None:
    usage = Usage(plain + cached + written, output, cached, written)
    lines = receipts.lines(prices, usage)
    assert sum(line.amount_pico for line in lines) == pricing.cost(prices, usage)
