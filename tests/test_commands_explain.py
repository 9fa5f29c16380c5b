"""``%llm explain``: the last error in plain words; what a model is told of it, and the price."""

import sys
from pathlib import Path

import pytest
from cells import KEY, Cell
from fake_openai import FakeOpenAI
from IPython.core.interactiveshell import InteractiveShell

import swsllm_nb
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.mistakes import mistake_of


@pytest.fixture(autouse=True)
def no_error_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python remembers of the last error is that of this test."""
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        monkeypatch.setattr(sys, name, None, raising=False)


def test_the_error_its_line_and_its_usual_causes_are_named_without_a_key(
    shell: InteractiveShell,
) -> None:
    Cell(shell, "prices = {'tea': 2}\n\ndef cost(name):\n    return prices[name]\n\ncost('coffee')")
    cell = Cell(shell, "%llm explain")
    cell.result.raise_error()
    first, place, meaning = cell.shown.strip().splitlines()[:3]
    assert first == "KeyError: 'coffee'"
    assert place == "In[1], line 4: return prices[name]"
    assert "does not have that key" in meaning
    assert "• The name is misspelt" in cell.shown
    assert "--ask" in cell.shown


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("for i in [1]\n    print(i)", "In[1], line 1: for i in [1]"),
        ("import json\n\njson.loads('x')", "In[1], line 3: json.loads('x')"),
        ("int(\n  'four'\n)", "In[1], line 1: int("),
        ("exec('1 / 0')", "In[1], line 1: exec('1 / 0')"),
    ],
)
def test_the_line_is_the_students_own_and_not_a_librarys(
    shell: InteractiveShell, code: str, line: str
) -> None:
    Cell(shell, code)
    assert line in Cell(shell, "%llm explain").shown


def test_a_file_of_the_students_is_own_code_too(shell: InteractiveShell) -> None:
    Path("own_file.py").write_text("def half(x):\n    return x / 0\n")
    Cell(shell, "%run own_file.py\nhalf(1)")
    assert "own_file.py, line 2: return x / 0" in Cell(shell, "%llm explain").shown


def test_without_an_error_it_says_so(shell: InteractiveShell) -> None:
    cell = Cell(shell, "%llm explain")
    assert isinstance(cell.error, LLMError)
    assert "No cell has failed" in cell.shown


def test_one_of_our_own_sentences_explains_itself(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "%%llm\n")
    shown = Cell(shell, "%llm explain").shown
    assert "That sentence is all there is to it" in shown
    assert "get_ipython" not in shown


def test_an_error_that_nobody_knows_is_no_mystery(shell: InteractiveShell) -> None:
    Cell(shell, "class Odd(Exception): pass\nraise Odd('hm')")
    shown = Cell(shell, "%llm explain").shown
    assert "Odd: hm" in shown
    assert "not one of Python's usual ones" in shown


def test_every_mistake_is_explained_in_both_languages(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    builtin = ["NameError", "TypeError", "ValueError", "IndexError", "KeyError", "AttributeError"]
    for name in builtin:
        mistake = mistake_of(getattr(__builtins__, name, None) or __builtins__[name])  # type: ignore[index]
        assert mistake
        assert all(english and german for english, german in (mistake.meaning, *mistake.causes))
    Cell(shell, "undefined_name")
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    shown = Cell(shell, "%llm explain").shown
    assert "Ein Name wird benutzt, dem noch nichts zugewiesen ist." in shown
    assert "Often" not in shown


def test_asking_says_the_price_first_and_sends_only_the_own_lines(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    home = Path.home()
    code = (
        "import json\n"
        "untouched = 'not near the error'\n"
        "#\n#\n#\n"
        f"path = '{home}/private/marks.csv'\n"
        f"key = '{KEY}'\n"
        "template = '{{ path }}', '/srv/grading/keys.csv'\n"
        "json.loads(path)"
    )
    Cell(shell, code)
    cell = Cell(shell, "%llm explain --ask")
    cell.result.raise_error()
    price, answer = cell.shown.find("this costs at most $"), cell.shown.find("Hello from the stub")
    assert 0 <= price < answer
    (request,) = connected.requests
    system, question = request.body["messages"]
    assert "at most 120 words" in system["content"]
    text = question["content"]
    assert "JSONDecodeError" in text
    assert "--> json.loads(path)" in text
    assert "{{ path }}" in text
    assert "marks.csv" in text
    assert "'keys.csv'" in text
    for private in (KEY, str(home), home.name, "not near the error", "site-packages", "def loads"):
        assert private not in text
    assert len(text) < 3_000
    assert list(swsllm_nb.log()["source"]) == ["magic"]


def test_asking_keeps_to_the_limit_that_is_set_and_to_one_model(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "1 / 0")
    Cell(shell, "%llm set model=gpt-4o,gpt-4o-mini json=on max-tokens=5").result.raise_error()
    Cell(shell, "%llm explain --ask").result.raise_error()
    (request,) = connected.requests
    assert request.body["model"] == "gpt-4o"
    assert "response_format" not in request.body
    assert request.body["max_tokens"] == 500
    Cell(shell, "%llm set max-cost=0.000001").result.raise_error()
    Cell(shell, "1 / 0")
    cell = Cell(shell, "%llm explain --ask")
    assert isinstance(cell.error, LLMError)
    assert len(connected.requests) == 1


def test_a_key_in_the_line_that_failed_is_not_shown_again(shell: InteractiveShell) -> None:
    Cell(shell, f"int('{KEY}')")
    shown = Cell(shell, "%llm explain").shown
    assert "ValueError" in shown
    assert KEY not in shown


def test_a_long_message_and_a_deep_recursion_are_cut(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "def deeper(n):\n    return deeper(n - 1) if n else 1 / 0\n\ndeeper(200)")
    Cell(shell, "%llm explain --ask").result.raise_error()
    Cell(shell, "raise ValueError('x' * 100_000)")
    Cell(shell, "%llm explain --ask").result.raise_error()
    for request in connected.requests:
        assert len(request.body["messages"][1]["content"]) < 5_000


def test_a_division_is_no_path(connected: FakeOpenAI, shell: InteractiveShell) -> None:
    Cell(shell, "total = a/b/c + (d)/e/f\n")
    Cell(shell, "%llm explain --ask").result.raise_error()
    assert "a/b/c + (d)/e/f" in connected.requests[0].body["messages"][1]["content"]
