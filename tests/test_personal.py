"""One student's data: all that is kept of them, and nothing of anybody else."""

import pytest
from stores import Place, intent, run
from test_listing import add, spend

from swsllm_nb.proxy import personal
from swsllm_nb.proxy.course import set_course
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.store import KeyHolder, Store
from swsllm_nb.wire import Usage


def test_a_record_has_every_row_of_one_student_and_none_of_another(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        await spend(store, await add(store, "bob"), 1, 10)
        hold = await store.reserve(intent(ada, 2, 10))
        await store.close_hold(hold, Outcome("settled", 0, Usage(0, 0)))
        await store.write(lambda: set_course({"name": "SWS", "contact": "P 901"}))
        await store.sum_up()
        record = await store.read(lambda: personal.personal_record("ada"))
        assert record["account"]["account"] == "ada"
        assert record["account"]["contact"] == "P 901"
        assert [row["kind"] for row in record["ledger"]] == ["grant", "call"]
        assert [(day["calls"], day["amount_pico"]) for day in record["days"]] == [(1, 0)]
        assert [key["prefix"] for key in record["keys"]] == ["sws-1234"]
        with pytest.raises(ValueError, match="no account 'nobody'"):
            await store.read(lambda: personal.personal_record("nobody"))

    run(place, act)


def test_a_long_ledger_is_told_whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal, "_ROWS_AT_ONCE", 2)

    async def act(store: Store, ada: KeyHolder) -> None:
        for number in range(4):
            await spend(store, ada, number, 1)
        record = await store.read(lambda: personal.personal_record("ada"))
        assert [row["id"] for row in record["ledger"]] == [1, 2, 3, 4, 5]

    run(place, act)
