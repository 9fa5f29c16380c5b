"""What a budget shows: a gauge and words, which never say that more is left than is."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pandas
import pytest
from IPython.core.formatters import format_display_data

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.notebook.gauge import Budget

AT = datetime(2026, 11, 23, 17, 40, tzinfo=UTC)
SPENT_PICO = 1_089_321_400_000
SHOWN_AT = "2026-11-23 18:40 CET"
BUDGET = Budget(
    granted_pico=5 * PICO_PER_USD,
    spent_pico=SPENT_PICO,
    at=AT,
    until=datetime(2027, 2, 14, 23, tzinfo=UTC),
    contact="llm@uni.example",
)

REFUSED = ": calls that cost something are refused. "

# What JupyterLab 4.6 leaves of the HTML of a notebook that nobody trusts.
KEPT = {
    "b": set(),
    "div": set(),
    "small": set(),
    "nobr": set(),
    "meter": {"min", "max", "low", "value"},
}
KEPT_EVERYWHERE = {"class", "title"}


class Page(HTMLParser):
    """The text of some HTML, its gauge's attributes, and what would not be kept of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.meter: dict[str, str | None] = {}
        self.lost: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attributes}
        if tag not in KEPT or not names <= KEPT[tag] | KEPT_EVERYWHERE:
            self.lost.append(tag)
        if tag == "meter":
            self.meter = dict(attributes)
        if tag == "div":
            self.text += "\n"

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(autouse=True)
def in_berlin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def test_a_budget_shows_what_is_left_at_a_glance_and_the_rest_in_small() -> None:
    page = Page(BUDGET.html())
    assert page.text.split("\n")[2:] == [
        " $3.91 of $5.00 left",
        f"$1.09 spent · until 2027-02-14 23:59 CET · as of {SHOWN_AT} · questions: llm@uni.example",
    ]
    assert page.meter == {
        "min": "0",
        "max": "5.00",
        "low": "0.50",
        "value": "3.9106786",
        "title": "$3.91 of $5.00 left",
    }


def test_as_text_it_is_exact_to_the_pico_dollar() -> None:
    assert str(BUDGET).splitlines() == [
        "granted        $5.00",
        "spent          $1.0893214",
        "held right now $0.00",
        "left           $3.9106786",
        "until          2027-02-14 23:59 CET",
        "questions to   llm@uni.example",
        "as of          2026-11-23 18:40 CET",
    ]


def test_a_cell_shows_it_as_html_and_as_text() -> None:
    shown, _ = format_display_data(BUDGET)
    assert shown == {"text/html": BUDGET.html(), "text/plain": str(BUDGET)}


def test_it_can_be_reckoned_with_in_dollars() -> None:
    holding = replace(BUDGET, held_pico=20_000_000_000)
    assert holding.granted_usd == Decimal(5)
    assert holding.spent_usd == Decimal("1.0893214")
    assert holding.held_usd == Decimal("0.02")
    assert holding.left_usd == Decimal("3.8906786")


def test_budgets_of_several_days_make_a_frame() -> None:
    followed = replace(BUDGET, _follow=lambda _listener: lambda: None)
    frame = pandas.DataFrame([followed, replace(followed, spent_pico=0)])
    assert list(frame["spent_pico"]) == [SPENT_PICO, 0]
    assert [name for name in frame.columns if name.startswith("_")] == []
    assert followed == BUDGET


def test_it_speaks_german(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    text = Page(replace(BUDGET, held_pico=1).html()).text
    assert "$3.91 von $5.00 übrig" in text
    assert "$0.01 für laufende Aufrufe gehalten · bis 14.02.2027 23:59 CET" in text
    assert "Stand 23.11.2026 18:40 CET · Fragen: llm@uni.example" in text
    assert "jetzt gehalten $0.000000000001" in str(replace(BUDGET, held_pico=1))


@pytest.mark.parametrize("spent_pico", [0, 1, 999, 123_456_789, 10**10, SPENT_PICO, 5 * 10**12])
@pytest.mark.parametrize("held_pico", [0, 1, 20_000_000_000])
def test_no_amount_that_is_shown_says_that_more_is_left_than_is(
    spent_pico: int, held_pico: int
) -> None:
    budget = replace(BUDGET, spent_pico=spent_pico, held_pico=held_pico)
    headline = Page(budget.html()).text.split("\n")[2].split()
    left_usd = Decimal(headline[0].replace("$", ""))
    assert left_usd <= (budget.left_usd or 0)
    details = Page(budget.html()).text.split("\n")[-1].split(" · ")
    amounts = [Decimal(part.split()[0][1:]) for part in details if part.startswith("$")]
    assert len(amounts) == (2 if held_pico else 1)
    assert left_usd + sum(amounts) >= (budget.granted_usd or 0)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"spent_pico": 4 * 10**12}, None),
        ({"spent_pico": 4_600_000_000_000}, "Less than a tenth is left."),
        ({"spent_pico": 4 * 10**12, "held_pico": 10**12}, None),
        ({"spent_pico": 5 * 10**12}, f"Used up{REFUSED}"),
        ({"spent_pico": 6 * 10**12}, f"Used up{REFUSED}"),
        (
            {"granted_pico": 0, "spent_pico": 0},
            f"Nothing was granted yet{REFUSED}",
        ),
    ],
)
def test_what_is_nearly_empty_says_so_and_whom_to_ask(
    changes: dict[str, object], note: str | None
) -> None:
    budget = replace(BUDGET, **changes)
    lines = Page(budget.html()).text.split("\n")[3:-1]
    assert lines == str(budget).splitlines()[7:]
    if note is None:
        assert lines == []
        return
    ask = "Ask llm@uni.example." if note.endswith(" ") else ""
    assert lines == [note + ask]
    assert "Ask the teaching staff." in str(replace(budget, contact="")) or not ask


def test_an_account_that_ended_says_so_first_and_shows_no_gauge() -> None:
    ended = replace(BUDGET, until=AT)
    page = Page(ended.html())
    assert page.text.split("\n")[2:] == [
        "The account ended 2026-11-23 18:39 CET: calls are refused.",
        "Ask llm@uni.example.",
        "$3.91 of $5.00 left · $1.09 spent · as of " + SHOWN_AT,
    ]
    assert page.meter == {}
    assert str(ended).splitlines()[-2:] == page.text.split("\n")[2:4]
    assert page.text.split("\n")[3] in str(replace(ended, spent_pico=9 * 10**12))


@pytest.mark.parametrize("spent_pico", [-10, 0, 10**12, 7 * 10**12])
@pytest.mark.parametrize("granted_pico", [0, 3, 5 * 10**12, None])
def test_the_gauge_stays_within_its_ends(granted_pico: int | None, spent_pico: int) -> None:
    told_by = "log" if granted_pico is None else "proxy"
    meter = Page(Budget(granted_pico, spent_pico, AT, told_by=told_by).html()).meter
    assert bool(meter) == bool(granted_pico)
    if meter:
        assert 0 <= Decimal(meter["value"] or "") <= Decimal(meter["max"] or "")


@pytest.mark.parametrize("told_by", ["proxy", "log"])
def test_nothing_of_it_is_lost_in_a_notebook_that_nobody_trusts(told_by: str) -> None:
    html = replace(BUDGET, told_by=told_by, held_pico=1).html(is_current=False)
    assert Page(html).lost == []
    assert 'class="swsllm mathjax_ignore' in html


def test_what_a_server_writes_is_text_and_steers_nothing() -> None:
    hostile = '<img src=x onerror="attack()">\x1b[2J\u202e'
    budget = replace(BUDGET, contact=hostile)
    assert Page(budget.html()).lost == []
    assert '<img src=x onerror="attack()">[2J' in Page(budget.html()).text
    assert "\x1b" not in budget.html() + str(budget)
    assert "\u202e" not in budget.html() + str(budget)


def test_the_log_says_that_it_is_only_the_log() -> None:
    budget = Budget(None, SPENT_PICO, AT, told_by="log", unknown_calls=3)
    for text in (str(budget), Page(budget.html()).text):
        assert "$1.09 spent from this machine and 3 calls of unknown cost" in text
        assert "budget unknown" in text
        assert "what the log of this machine says, and only that" in text
        assert "%llm budget 5.00" in text
    typed = replace(budget, granted_pico=5 * PICO_PER_USD)
    for text in (str(typed), Page(typed.html()).text):
        assert "at most $3.91 of $5.00 left (the budget was typed in)" in text.lower()
        assert "%llm budget 5.00" not in text
    assert budget.left_usd is None
    assert Page(typed.html()).meter["value"] == "3.9106786"


def test_an_old_budget_says_that_it_is_old() -> None:
    old = Page(BUDGET.html(is_current=False)).text
    assert "$3.91 of $5.00 left" in old
    assert "Not up to date: the proxy cannot be asked now." in old
    assert "Not up to date" not in Page(BUDGET.html()).text


def test_an_end_in_the_middle_of_a_day_is_not_moved() -> None:
    noon = replace(BUDGET, until=AT + timedelta(days=1))
    assert "until 2026-11-24 18:39 CET" in Page(noon.html()).text
