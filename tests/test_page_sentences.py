"""What acts refuse is told to German readers in German, with the same values in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import swsllm_nb
from swsllm_nb.proxy.page.sentences import retold

PACKAGE = Path(swsllm_nb.__file__).parent
ACTS = (
    "money", "proxy/words", "proxy/accounts", "proxy/account_acts", "proxy/roster",
    "proxy/roster_acts", "proxy/course_acts", "proxy/course", "proxy/models", "proxy/teaching",
    "proxy/staff_acts", "proxy/invoice_file", "proxy/page/staff_ask", "proxy/page/staff_forms",
    "proxy/page/staff_models",
)  # fmt: skip
NEVER_ON_THE_PAGE = ("is not an exact amount",)


def refusals() -> Iterator[str]:
    """Every sentence with which an act refuses, with X for its values."""
    for module in ACTS:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ValueError":
                yield _text(node.args[0])


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "X"


@pytest.mark.parametrize("sentence", sorted(set(refusals())))
def test_every_refusal_of_an_act_has_its_german(sentence: str) -> None:
    if not any(part in sentence for part in NEVER_ON_THE_PAGE):
        assert retold(sentence, "de") != sentence


def test_values_are_kept_and_may_be_anything() -> None:
    name = "'<script>%(x)s %s is no e-mail address.'"
    told = retold(f"There is an account {name} already.", "de")
    assert told == f"Einen Account {name} gibt es schon."


def test_a_sentence_within_a_sentence_is_told_in_german_too() -> None:
    told = retold("Line 2 of the invoice: 'x' is no amount in dollars.", "de")
    assert told == "Zeile 2 der Rechnung: 'x' ist kein Betrag in Dollar."


def test_english_readers_and_unknown_sentences_get_what_was_said() -> None:
    assert retold("The line names no account.", "en") == "The line names no account."
    assert retold("Whatever.", "de") == "Whatever."
