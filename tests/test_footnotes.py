"""The line under an answer, in English and in German."""

from typing import Any

import pytest

from swsllm_nb.money import pico_from_usd
from swsllm_nb.notebook.footnotes import footnote
from swsllm_nb.wire import Usage

BUDGET = pico_from_usd("5")


def test_the_footnote_says_model_tokens_cost_and_what_is_left() -> None:
    line = footnote(
        "gpt-4o-mini", Usage(312, 88), 99_600_000, "proxy", pico_from_usd("3.91"), BUDGET
    )
    assert line == "gpt-4o-mini · 312 in + 88 out · $0.0001 · $3.91 of $5.00 left"


@pytest.mark.parametrize(
    ("cost_pico", "cost_source", "words"),
    [
        (None, "unknown", "cost unknown"),
        (None, "proxy", "cost unknown"),
        (0, "unknown", "cost unknown"),
        (99_600_000, "computed", "$0.0001 (by the price list)"),
        (99_600_000, "estimated", "about $0.0001"),
        (99_600_000, "replayed", "replayed, was $0.0001"),
        (0, "proxy", "$0.00"),
    ],
)
def test_the_footnote_says_how_the_cost_is_known(
    cost_pico: int | None, cost_source: str, words: str
) -> None:
    assert footnote("m", Usage(1, 2), cost_pico, cost_source) == f"m · 1 in + 2 out · {words}"


def test_without_usage_and_cost_the_footnote_has_no_amount_that_was_spent() -> None:
    line = footnote("m", None, None, "unknown", pico_from_usd("4.5"), BUDGET)
    assert line == "m · cost unknown · $4.50 of $5.00 left"


def test_cached_and_reasoning_tokens_are_named_as_parts() -> None:
    usage = Usage(1312, 88, cached_tokens=1024, reasoning_tokens=64)
    assert "1,312 in (1,024 cached) + 88 out, 64 of them reasoning" in footnote("m", usage, 1)


def test_what_is_left_is_rounded_down_and_told_without_a_budget_too() -> None:
    assert footnote("m", None, None, "unknown", pico_from_usd("3.919")).endswith("$3.91 left")


def test_an_answer_that_was_cut_says_which_option_lifts_the_limit() -> None:
    line = footnote("m", Usage(1, 2), 1, finish_reason="length")
    assert line.endswith("cut at the token limit: raise --max-tokens")
    assert "cut" not in footnote("m", Usage(1, 2), 1, finish_reason="stop")


def test_the_practice_model_is_called_by_its_name() -> None:
    assert footnote("m", Usage(1, 2), 1, practice=True).endswith(" · practice model")


@pytest.mark.parametrize(
    ("line", "german"),
    [
        (
            {
                "usage": Usage(1312, 88),
                "cost_pico": 99_600_000,
                "remaining_pico": BUDGET,
                "practice": True,
            },
            "m · 1\u202f312 in + 88 out · $0.0001 · $5.00 übrig · Modell zum Üben",
        ),
        (
            {"usage": None, "cost_pico": None, "remaining_pico": 0, "budget_pico": BUDGET},
            "m · Kosten unbekannt · $0.00 von $5.00 übrig",
        ),
        (
            {
                "usage": Usage(9, 8, 7, reasoning_tokens=6),
                "cost_pico": 1,
                "cost_source": "estimated",
            },
            "m · 9 in (7 aus dem Cache) + 8 out, 6 davon zum Nachdenken · etwa $0.000000000001",
        ),
        (
            {
                "usage": None,
                "cost_pico": 10**12,
                "cost_source": "computed",
                "finish_reason": "length",
            },
            "m · $1.00 (nach Preisliste) · an der Token-Grenze abgeschnitten: --max-tokens erhöhen",
        ),
    ],
)
def test_whoever_set_german_reads_german_and_the_same_dollars(
    monkeypatch: pytest.MonkeyPatch, line: dict[str, Any], german: str
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    assert footnote("m", **line) == german
