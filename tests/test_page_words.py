"""The page's two languages: every text has its German, and each visit the language it asks for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment

import swsllm_nb
from swsllm_nb.proxy.page.templating import environments, shown_day, shown_moment
from swsllm_nb.proxy.page.words import german, parted, preferred

PAGE = Path(swsllm_nb.__file__).parent / "proxy" / "page"
PLACEHOLDER = re.compile(r"%\(\w+\)s")


def texts_of_templates(environment: Environment) -> Iterator[str]:
    for template in sorted((PAGE / "templates").rglob("*.html")):
        for _, _, message in environment.extract_translations(template.read_text("utf-8")):
            yield from filter(None, message if isinstance(message, tuple) else (message,))


def texts_of_code() -> Iterator[str]:
    """What is said by ``visit.say("…")``, and what a password is refused with."""
    for module in sorted(PAGE.glob("*.py")):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".say"):
                yield from _constants(node.args[:1])
            if isinstance(node, ast.FunctionDef) and node.name == "complaint":
                returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
                yield from _constants([value for value in returned if value is not None])


def _constants(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_text_of_every_page_has_its_german() -> None:
    texts = {*texts_of_templates(environments()["en"]), *texts_of_code()}
    assert len(texts) > 100
    assert sorted(texts - german().keys()) == []


def test_german_texts_keep_the_places_of_their_values() -> None:
    for english, told in german().items():
        assert set(PLACEHOLDER.findall(told)) <= set(PLACEHOLDER.findall(english)), english
        assert told.strip(), english


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr,de;q=0.5,en;q=0.7", "en"),
        ("fr,de;q=0.5,en;q=0", "de"),
        ("de_AT", "de"),
        ("fr, it", None),
        ("", None),
        (";;;q=,,de;q=x", None),
        ("x" * 100_000, None),
    ],
)
def test_a_browser_gets_the_language_that_it_would_rather_have(
    header: str, language: str | None
) -> None:
    assert preferred(header) == language


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"), (999, "999"), (1234, "1_234"), (1234567, "1_234_567"), (-1234, "-1_234"),
        ("$0.123456", "$0.123456"), ("$1234.5678", "$1_234.5678"), ("-$1000.00", "-$1_000.00"),
    ],
)  # fmt: skip
def test_thousands_are_parted_by_what_no_language_takes_for_a_decimal_sign(
    number: int | str, shown: str
) -> None:
    assert parted(number) == shown.replace("_", "\u202f")


def test_one_word_stands_for_each_thing_in_german() -> None:
    """The words of the course's own page: Account, API-Key, Lehrpersonal."""
    others = re.compile("Zugang|Schlüssel|Lehrende|Lehrveranstaltung|Betreiber|[Bb]erichtig")
    assert [told for told in german().values() if others.search(told)] == []


def test_days_and_moments_are_written_as_the_language_does() -> None:
    assert shown_day("2027-02-28", language="de") == "28.02.2027"
    assert shown_day("2027-02-28", language="en") == "2027-02-28"
    assert shown_day(None, language="en") == ""
    assert shown_moment(None, language="de") == ""
    assert re.fullmatch(
        r"2[34]\.11\.2026 \d\d:\d\d", shown_moment("2026-11-23T20:00:00.000000Z", language="de")
    )
