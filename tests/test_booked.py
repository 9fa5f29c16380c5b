"""The proxy's ledger as a frame, with what only this machine's log knows of its calls."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from swsllm_nb.notebook.booked import booked
from swsllm_nb.notebook.rows import Call
from swsllm_nb.wire import CALL_COLUMNS

AT = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
CALL = Call(
    at=AT,
    source="magic",
    notebook="week 3.ipynb",
    cell_id="c-1",
    exercise="ex1",
    model="gpt-4o-mini",
    model_served="gpt-4o-mini-2024-07-18",
    prompt_tokens=None,
    cached_tokens=None,
    completion_tokens=None,
    reasoning_tokens=None,
    cost_pico=None,
    cost_source="unknown",
    remaining_pico=None,
    latency_seconds=0.5,
    first_token_seconds=0.1,
    stream=True,
    status="interrupted",
    finish_reason="",
    error_code="",
    retries=0,
    request_id="req_1",
    prompt="Why?",
    answer="Because",
)


def row(number: int, **told: Any) -> dict[str, Any]:
    """A row of ``GET /usage``: a settled call that cost a dollar, unless told otherwise."""
    at = (AT + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
    counts = dict.fromkeys(("cached_tokens", "cache_write_tokens", "reasoning_tokens"), 0)
    return {
        "id": number,
        "at": at,
        "kind": "call",
        "request_id": f"req_{number}",
        "state": "settled",
        "model": "gpt-4o-mini-2024-07-18",
        "stream": False,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        **counts,
        "hold_usd": "2.00",
        "cost_usd": "1.00",
        "granted_usd": None,
        "reason": None,
        "adjusts_id": None,
    } | told


GRANT = row(0, kind="grant", state=None, request_id=None, model=None, stream=None,
            hold_usd=None, cost_usd=None, granted_usd="5.00", reason="first budget")  # fmt: skip


def credit(number: int, of: int | None, usd: str) -> dict[str, Any]:
    nothing = {"request_id": None, "model": None, "stream": None, "hold_usd": None, "state": None}
    return row(number, kind="adjustment", adjusts_id=of, cost_usd=usd, reason="a fault", **nothing)


def one(frame: pd.DataFrame, kind: str = "call") -> Any:
    (found,) = frame[frame["kind"] == kind].itertuples()
    return found


def test_it_has_the_columns_of_the_log_with_their_types_and_five_more() -> None:
    frame = booked([GRANT, row(1)], [CALL])
    assert set(frame.columns) - set(CALL_COLUMNS) == {
        "kind", "state", "granted_usd", "held_usd", "reason",
    }  # fmt: skip
    kinds = {name: str(dtype) for name, dtype in frame.dtypes.items() if name in CALL_COLUMNS}
    assert kinds == dict(CALL_COLUMNS)
    assert booked([], []).dtypes.equals(frame.dtypes)


def test_a_call_of_this_machine_has_the_ledgers_figures_and_the_logs_place() -> None:
    call = one(booked([GRANT, row(1)], [CALL]))
    assert (call.cost_usd, call.prompt_tokens, call.cost_source) == (1.0, 10, "proxy")
    assert (call.source, call.notebook, call.exercise) == ("magic", "week 3.ipynb", "ex1")
    assert (call.prompt, call.answer, call.status) == ("Why?", "Because", "interrupted")


def test_a_call_whose_answer_never_came_is_found_by_the_clients_name_for_it() -> None:
    lost = replace(CALL, request_id="", client_id="mine")
    assert one(booked([row(1, request_id="req_77_mine")], [lost])).source == "magic"


def test_a_call_from_elsewhere_is_there_without_a_source() -> None:
    call = one(booked([row(1)], []))
    assert (call.source, call.exercise, call.status, call.cost_usd) == ("", "", "ok", 1.0)


def test_the_ledgers_exercise_goes_before_the_logs_where_it_tells_one() -> None:
    assert one(booked([row(1, exercise="ex7")], [CALL])).exercise == "ex7"
    assert one(booked([row(1, exercise=None)], [CALL])).exercise == "ex1"


def test_what_is_left_is_grants_less_costs_less_what_is_held() -> None:
    held = row(2, state="held", cost_usd=None, prompt_tokens=None, completion_tokens=None)
    frame = booked([GRANT, row(1), held, credit(3, 1, "-0.25")], [])
    assert list(frame["remaining_usd"]) == [5.0, 4.0, 2.0, 2.25]
    assert list(frame["held_usd"]) == [0.0, 0.0, 2.0, 0.0]
    assert list(frame["status"]) == ["", "ok", "", ""]


def test_a_credit_is_of_the_call_that_it_names() -> None:
    adjusted = one(booked([GRANT, row(1), credit(2, 1, "-0.25")], [CALL]), "adjustment")
    assert (adjusted.request_id, adjusted.exercise, adjusted.source) == ("req_1", "ex1", "magic")
    assert (adjusted.cost_usd, adjusted.reason) == (-0.25, "a fault")
    assert one(booked([credit(2, None, "-0.25")], [CALL]), "adjustment").request_id == ""


def test_refused_calls_of_the_log_are_in_it_in_the_order_of_time() -> None:
    refused = replace(
        CALL,
        at=AT + timedelta(seconds=90),
        status="refused",
        request_id="req_9",
        error_code="insufficient_quota",
    )
    failed = replace(refused, status="failed", request_id="req_10")
    frame = booked([GRANT, row(1), row(2)], [CALL, refused, failed])
    assert list(frame["status"]) == ["", "interrupted", "refused", "ok"]
    assert list(frame["state"]) == ["", "settled", "", "settled"]
    assert frame.loc[2, "error_code"] == "insufficient_quota"
    assert list(frame["cost_usd"].tail(2)) == [0.0, 1.0]


def test_a_call_that_the_upstream_refused_is_there_once() -> None:
    refused = replace(CALL, status="refused", error_code="bad_request")
    call = one(booked([row(1, state="released", cost_usd="0.00")], [refused]))
    assert (call.state, call.status, call.error_code) == ("released", "refused", "bad_request")


@pytest.mark.parametrize("broken", [{"at": None}, {"at": "noon"}, {"hold_usd": "much"}])
def test_what_no_ledger_of_ours_says_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cannot be read|Invalid isoformat|not an amount"):
        booked([row(1, state="held", cost_usd=None) | broken], [])
    with pytest.raises(ValueError, match="cannot be read"):
        booked([{"id": 1}], [])
