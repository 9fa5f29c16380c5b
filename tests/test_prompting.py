"""Text is text, but for ``{{ name }}``."""

from typing import Any

import pandas as pd
import pytest

from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.prompting import Filled, Filling, checked_prompt

KEY = "sws-abcdefghij0123456789abcdefghij0123456789"


def fill(text: str, **namespace: Any) -> tuple[str, tuple[Filled, ...]]:
    return Filling(namespace, KEY).fill(text)


@pytest.mark.parametrize(
    "text",
    [
        "{x} {{x}} {{ x}} {{x }} {{  x  }} {{{x}}}", r"\frac{{a}}{{b}}", "{{ a.b }} {{ f() }}",
        "{% for x in y %}", "d = {'a': 1}", "${x} $x %(x)s", "{{ 1x }} {{ }} {{ x y }}",
    ],
)  # fmt: skip
def test_what_is_no_placeholder_stays_as_it_is(text: str) -> None:
    assert fill(text, x=1, a=2, b=3) == (text, ())


def test_a_name_becomes_the_text_of_its_value() -> None:
    text, filled = fill("{{ a }} and {{ größe }}, {{ a }}", a=[1, "2"], größe="{{ a }}")
    assert text == "[1, '2'] and {{ a }}, [1, '2']"
    assert [each.name for each in filled] == ["a", "größe"]


def test_an_unknown_name_is_refused_with_the_nearest_ones() -> None:
    with pytest.raises(LLMError, match=r"\{\{ tabel \}\}.*not there.*Did you mean table"):
        fill("{{ tabel }}", table=1, _tabel=2)
    with pytest.raises(LLMError, match="not there") as refused:
        fill("{{ x }}")
    assert "Did you mean" not in str(refused.value)


def test_a_frame_goes_in_as_its_beginning() -> None:
    frame = pd.DataFrame({"city": [f"c{n}" for n in range(1200)], "n": range(1200)})
    text, (filled,) = fill("{{ frame }}", frame=frame)
    assert text.splitlines() == ["city,n", *(f"c{n},{n}" for n in range(10))]
    assert filled.part == "the first 10 of 1,200 rows, 2 of 2 columns"


def test_a_small_frame_goes_in_whole_and_an_index_that_says_something_too() -> None:
    text, (filled,) = fill("{{ f }}", f=pd.Series([1, 2], index=["a", "b"], name="n"))
    assert text == ",n\na,1\nb,2\n"
    assert filled.part == "all 2 rows"


def test_a_frame_of_long_texts_is_cut() -> None:
    text, (filled,) = fill("{{ f }}", f=pd.DataFrame({"t": ["x" * 5000] * 3}))
    assert len(text) < 4100
    assert filled.part.endswith("cut at 4,000 characters")


@pytest.mark.parametrize("value", [KEY, {"key": KEY}, "sk-proj-0123456789abcdef", ["a", KEY]])
def test_a_value_that_may_hold_a_key_is_refused_and_not_shown(value: Any) -> None:
    with pytest.raises(LLMError, match="looks like a key") as refused:
        fill("{{ secret }}", secret=value)
    assert KEY not in str(refused.value)


def test_a_key_in_the_text_is_refused_but_for_raw() -> None:
    with pytest.raises(LLMError, match="looks like a key"):
        checked_prompt(f"my key is {KEY}", "", raw=False)
    with pytest.raises(LLMError, match="looks like a key"):
        checked_prompt("my key is quite-another-form", "quite-another-form", raw=False)
    assert checked_prompt(f"my key is {KEY}", "", raw=True).endswith(KEY)


@pytest.mark.parametrize(
    "line", ["raise NotImplementedError()", "  raise NotImplementedError  # x"]
)
def test_an_exercise_that_nobody_did_is_not_sent(line: str) -> None:
    with pytest.raises(LLMError, match="write your own question in its place"):
        checked_prompt(f"Your prompt here\n{line}\n", "", raw=False)
    assert checked_prompt("Why `raise NotImplementedError()`?", "", raw=False)


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_nothing_is_no_question(text: str) -> None:
    with pytest.raises(LLMError, match="no question"):
        checked_prompt(text, "", raw=True)
