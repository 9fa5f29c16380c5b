"""What acts refuse is told to German readers in German, with the same values in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import swsllm_nb
from swsllm_nb.catalogue import checked_rows, packaged_rows
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.page.sentences import retold

PACKAGE = Path(swsllm_nb.__file__).parent
ACTS = (
    "money", "proxy/words", "proxy/accounts", "proxy/account_acts", "proxy/roster",
    "proxy/roster_acts", "proxy/course_acts", "proxy/course", "proxy/models", "proxy/teaching",
    "proxy/staff_acts", "proxy/invoice_file", "proxy/page/staff_ask", "proxy/page/staff_forms",
    "proxy/page/staff_models", "catalogue", "fields",
)  # fmt: skip
NEVER_ON_THE_PAGE = ("is not an exact amount",)


def refusals() -> Iterator[str]:
    """Every sentence with which an act refuses, with X for its values."""
    for module in ACTS:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ValueError":
                text = _text(node.args[0])
                # What ends in another sentence ends as that does.
                yield f"{text}." if text.endswith("X") else text


def wanted() -> Iterator[str]:
    """What a field of a model's row should be, as its refusals say."""
    for module in ("catalogue", "fields"):
        for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".refuse"):
                yield _text(node.args[1])


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "X"


@pytest.mark.parametrize("sentence", sorted(set(refusals())))
def test_every_refusal_of_an_act_has_its_german(sentence: str) -> None:
    if not any(part in sentence for part in NEVER_ON_THE_PAGE):
        assert retold(sentence, "de") != sentence


@pytest.mark.parametrize("part", sorted({*wanted(), *Doubt} - {"X"}))
def test_what_a_field_should_be_and_why_a_charge_is_unconfirmed_has_its_german(part: str) -> None:
    assert retold(part, "de") != part


def test_a_broken_row_of_a_model_is_refused_in_german_with_its_parts() -> None:
    rows = packaged_rows()
    row = rows["gpt-4o-mini-2024-07-18"]
    (price,) = row["prices"]
    for broken, told in (
        (row | {"context_tokens": 0}, "'context_tokens' ist 0; richtig wäre eine ganze Zahl von 1"),
        (
            row | {"prices": [price | {"output_usd": "x"}]},
            "ein Preis, Feld 'output_usd': 'x' ist kein",
        ),
        (row | {"default_cap_tokens": None}, "lässt sich nicht anbieten: Es fehlt default_cap_"),
    ):
        with pytest.raises(ValueError, match="The model row") as refused:
            checked_rows({**rows, row["id"]: broken})
        sentence = retold(str(refused.value), "de")
        assert sentence.startswith("Die Zeile des Modells 'gpt-4o-mini-2024-07-18'")
        assert told in sentence


def test_values_are_kept_and_may_be_anything() -> None:
    name = "'<script>%(x)s %s is no e-mail address.'"
    told = retold(f"There is an account {name} already.", "de")
    assert told == f"Einen Account {name} gibt es schon."


def test_a_sentence_within_a_sentence_is_told_in_german_too() -> None:
    told = retold("Line 2 of the invoice: 'x' is no amount in dollars.", "de")
    assert told == "Zeile 2 der Rechnung: 'x' ist kein Betrag in Dollar."


def test_thousands_are_parted_as_elsewhere_on_the_page_and_typed_texts_stay() -> None:
    told = retold("The file has 10,001 lines; at most 10,000 are read at once. Split it.", "de")
    assert "10\u202f001 Zeilen; höchstens 10\u202f000" in told
    typed = retold("'1,234' is no amount in dollars.", "de")
    assert typed == "'1,234' ist kein Betrag in Dollar."


def test_english_readers_and_unknown_sentences_get_what_was_said() -> None:
    assert retold("The line names no account.", "en") == "The line names no account."
    assert retold("Whatever.", "de") == "Whatever."
