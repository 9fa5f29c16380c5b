"""What both halves spell alike."""

from typing import Any

import pytest

from swsllm_nb.sse import Scanner
from swsllm_nb.wire import (
    CALL_COLUMNS,
    Usage,
    cost_comment,
    cost_from_comment,
    cost_header,
    exercise_name,
    usage_from_body,
)


def test_usage_is_read_with_its_details() -> None:
    stated = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    assert usage_from_body({"usage": stated}) == Usage(100, 50, 40, 3, 30)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"usage": None},
        {"usage": {"prompt_tokens": 1}},
        {"usage": {"prompt_tokens": -1, "completion_tokens": 1}},
        {"usage": {"prompt_tokens": True, "completion_tokens": 1}},
        {"usage": {"prompt_tokens": 1.0, "completion_tokens": 1}},
        {
            "usage": {
                "prompt_tokens": 1,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 2},
            }
        },
    ],
)
def test_usage_that_cannot_be_believed_is_unknown_and_not_zero(body: Any) -> None:
    assert usage_from_body(body) is None


def test_a_streams_cost_goes_out_as_a_comment_and_is_read_back() -> None:
    cost = {"cost_usd": "0.0001", "remaining_usd": "3.91", "budget_usd": "5.00"}
    (event,) = Scanner().feed(cost_comment(cost))
    assert event.data is None
    assert event.comment is not None
    assert cost_from_comment(event.comment) == cost


@pytest.mark.parametrize("comment", [b"OPENROUTER PROCESSING", b"swsllm nonsense", b"swsllm {}"])
def test_another_servers_comment_tells_no_cost(comment: bytes) -> None:
    assert cost_from_comment(comment) == {}


def test_a_plain_answers_cost_has_header_names_of_the_same_spelling() -> None:
    assert cost_header("cost_usd") == "x-swsllm-cost-usd"


def test_the_call_logs_columns_are_those_people_script_against() -> None:
    assert " ".join(CALL_COLUMNS) == (
        "at source notebook cell_id exercise model model_served prompt_tokens cached_tokens "
        "completion_tokens reasoning_tokens cost_usd cost_source remaining_usd latency_seconds "
        "first_token_seconds stream status finish_reason error_code retries request_id prompt "
        "answer"
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ex1", "ex1"),
        (" Übung 1 ", "Übung 1"),
        ("x" * 64, "x" * 64),
        ("x" * 65, None),
        ("", None),
        ("a\nb", None),
        ("a\0", None),
        ("\ud800", None),
    ],
)
def test_an_exercise_is_a_short_printable_name_or_is_left_out(text: str, name: str | None) -> None:
    assert exercise_name(text) == name
