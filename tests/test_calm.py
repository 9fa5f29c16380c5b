"""In a real kernel every failure is one sentence: magics, ``ask()`` and the plain client alike."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from cells import KEY
from fake_openai import FakeOpenAI, Scripted, error
from nbclient import NotebookClient

HEAD = "%load_ext swsllm_nb\nimport swsllm_nb, openai\nclient = swsllm_nb.client()"
CREATE = 'client.chat.completions.create(model="gpt-4o-mini", messages=[])'
STREAM = 'client.chat.completions.create(model="gpt-4o-mini", messages=[], stream=True)'
ASYNC_HEAD = (
    f"import asyncio\nasync def a_question():\n    return await asyncio.to_thread(lambda: {CREATE})"
)
FUNCTION = f"def question(text):\n    x = 1\n    return {CREATE}"
ASKING = 'def asking(text):\n    return swsllm_nb.ask(text, model="gpt-4o")'

ASK = 'swsllm_nb.ask("Hi")'
POOL = """from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as pool:
    print(list(pool.map(question, 'ab')))"""
AWAIT = f"await swsllm_nb.async_{CREATE.replace('client.', 'client().', 1)}"
LATER = f"""async def later():
    return {AWAIT}

await asyncio.gather(later())"""
CAUGHT = f"""try:
    {CREATE}
except openai.RateLimitError as error:
    print('caught', error.status_code, error.code)"""
CAUGHT_OURS = f"""from swsllm_nb.notebook.errors import CallFailed
try:
    {ASK}
except CallFailed as error:
    print("caught", error.code)"""

CELLS = {
    "head": (HEAD, None),
    "function": (FUNCTION, None),
    "asking function": (ASKING, None),
    "async function": (ASYNC_HEAD, None),
    "magic": ("%%llm\nHi", ""),
    "ask": (ASK, ""),
    "ask deep in a cell": (f"x = 1\n\nfor _ in range(3):\n    {ASK}", "line 4 of this cell"),
    "ask in a function": ('asking("Hi")', r"line 2 of In\[3\]"),
    "plain": (CREATE, ""),
    "plain stream": (f"for chunk in {STREAM}:\n    print(chunk)", "line 1 of this cell"),
    "plain in a function": ('answers = [question(n)\n    for n in "abc"]', r"line 3 of In\[2\]"),
    "plain in a function of this cell": (
        f"def again():\n    return {CREATE}\n\nagain()",
        "line 2 of this cell",
    ),
    "async client": (AWAIT, ""),
    "async client in a function": (LATER, "line 2 of this cell"),
    "async": ("await a_question()", r"line 3 of In\[4\]"),
    "async, several": (
        "x = 1\nawait asyncio.gather(*(a_question() for _ in range(3)))",
        r"line 3 of In\[4\]",
    ),
    "in a thread": (POOL, r"line 3 of In\[2\]"),
    "raised from a mistake of ones own": (
        f"try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    {CREATE}",
        "line 4 of this cell",
    ),
    "caught": (CAUGHT, None),
    "caught ours": (CAUGHT_OURS, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def broke() -> Iterator[FakeOpenAI]:
    """A server at which the money is gone."""
    body = error("You exceeded your current quota.", "insufficient_quota")
    with FakeOpenAI(default=Scripted(status=429, body=body)) as server:
        yield server


@pytest.fixture(scope="module")
def cells(broke: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    sources = {name: source for name, (source, _) in CELLS.items()}
    failing = {name for name, (_, place) in CELLS.items() if place is not None}
    return executed(tmp_path_factory.mktemp("calm"), sources, failing, broke.base_url)


def executed(
    folder: Path, sources: dict[str, str], failing: set[str], base_url: str, **environment: str
) -> dict[str, Any]:
    """The cells of a notebook after a run in a kernel; each of ``failing`` may fail."""
    (folder / ".env").write_text(f"SWSLLM_BASE_URL={base_url}\nSWSLLM_API_KEY={KEY}\n")
    notebook: Any = nbformat.v4.new_notebook()
    for name, source in sources.items():
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata.tags = ["raises-exception"] if name in failing else []
        notebook.cells.append(cell)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    path = {"PYTHONPATH": str(Path(__file__).parents[1])}
    client.execute(env=os.environ | path | environment)
    return dict(zip(sources, notebook.cells, strict=True))


@pytest.mark.parametrize("name", [name for name, (_, place) in CELLS.items() if place is not None])
def test_a_failure_is_one_sentence_and_says_the_line_of_the_students_own_code(
    cells: dict[str, Any], name: str
) -> None:
    (failure,) = [each for each in cells[name].outputs if each.output_type == "error"]
    place = CELLS[name][1]
    told = f" \\({place}\\)" if place else ""
    sentence = rf"CallFailed{told}: Your budget does not cover this call \(429\)\. .*\."
    assert len(failure.traceback) == 1
    assert re.fullmatch(sentence, failure.traceback[0]), failure.traceback[0]
    assert failure.ename == "CallFailed"
    assert [each.output_type for each in cells[name].outputs] == ["error"]


@pytest.mark.parametrize("name", ["caught", "caught ours"])
def test_an_except_of_the_students_own_works_as_ever(cells: dict[str, Any], name: str) -> None:
    (output,) = cells[name].outputs
    assert output.text.startswith("caught")
    assert "insufficient_quota" in output.text


def test_each_of_these_calls_was_made_once(broke: FakeOpenAI, cells: dict[str, Any]) -> None:
    # Three that wait together, and two in a pool; the first failure of a loop ends it.
    failing = [name for name, (_, place) in CELLS.items() if place is not None]
    assert len(broke.requests) == len(failing) + 2 + 2 + 1


FAULTS = {
    "401": (Scripted(status=401, body=error("No.", "invalid_api_key")), "Schlüssel nicht an (401)"),
    "403": (Scripted(status=403, body=error("Over.", "not_allowed")), "erlaubt diesen Aufruf"),
    "404": (Scripted(status=404, body=error("x", "model_not_found")), "gpt-4o-mini, gpt-4o"),
    "page": (Scripted(body="<html>Welcome</html>"), "ist keine Chat-Completion"),
    "500": (Scripted(status=500, body="x", headers={"x-should-retry": "false"}), "Fehler (500)"),
}


def test_in_german_every_fault_is_german_and_the_same_for_all_ways_to_ask(tmp_path: Path) -> None:
    ways = {"magic": "%%llm\nHi", "ask": ASK, "plain": CREATE}
    sources = {"head": HEAD} | {
        f"{way} {fault}": source for fault in FAULTS for way, source in ways.items()
    }
    with FakeOpenAI() as server:
        for script, _ in FAULTS.values():
            server.answers.extend([script] * len(ways))
        failing = sources.keys() - {"head"}
        told = executed(tmp_path, sources, set(failing), server.base_url, SWSLLM_LANGUAGE="de")
        assert len(server.requests) == len(failing)
    for fault, (_, sentence) in FAULTS.items():
        traces = {told[f"{way} {fault}"].outputs[-1].traceback[0] for way in ways}
        assert len(traces) == 1, traces
        assert sentence in traces.pop()
