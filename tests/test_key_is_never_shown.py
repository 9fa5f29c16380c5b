"""Every path of a call with a marked key, and then a look at everything that was produced.

The servers here are worse than real ones: they repeat the whole key in whatever they say.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from fake_openai import FakeOpenAI, Scripted, error
from nbclient import NotebookClient

KEY = "sk-marked-0123456789abcdefMARK"
MARK = "0123456789abcdef"
"""No part of the key that is long enough to use may be seen; its beginning may."""

EVENT = json.dumps(error(f"It broke; {KEY}.", "server_error"))
STREAM = {"content-type": "text/event-stream"}
FINAL = {"x-should-retry": "false"}

SCRIPTS = {
    "401": Scripted(status=401, body=error(f"Incorrect API key: {KEY}.", "invalid_api_key")),
    "400": Scripted(status=400, body=error(f"Bad: {KEY}", param=KEY)),
    "403": Scripted(status=403, body={"detail": f"Not with {KEY}"}),
    "404": Scripted(status=404, body=error(f"No model for {KEY}", "model_not_found")),
    "429": Scripted(status=429, body=error(f"Gone: {KEY}", "insufficient_quota")),
    "500": Scripted(status=500, body=f"Traceback: Bearer {KEY}", headers=FINAL),
    "502": Scripted(status=502, body=f"<html>{KEY}</html>", headers={**FINAL, "x-key": KEY}),
    "503": Scripted(status=503, body=f"busy {KEY}", headers={"retry-after-ms": "10"}),
    "packed": Scripted(status=401, body=error(KEY, "invalid_api_key"), gzip=True),
    "midway": Scripted(body=f"data: {EVENT}\n\n", headers=STREAM),
    "cut": Scripted(cut="mid stream"),
    "cut early": Scripted(cut="before headers", headers=FINAL),
    "no answer": Scripted(body=f"<html>{KEY}</html>"),
    "broken stream": Scripted(body=f"data: {{{KEY}\n\n", headers=STREAM),
}

HEAD = """%load_ext swsllm_nb
import swsllm_nb, openai
client = swsllm_nb.client().with_options(max_retries=0)
def create(**fields):
    fields = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], **fields}
    answer = client.chat.completions.create(**fields)
    return list(answer) if fields.get("stream") else answer
"""
WAYS = {
    "magic": "%%llm\nHi",
    "not streamed": "%%llm --no-stream\nHi",
    "ask": 'swsllm_nb.ask("Hi")',
    "plain": "create()",
    "plain stream": "create(stream=True)",
    "raised from": """try:
    create()
except openai.OpenAIError as error:
    print(error, repr(error), error.response if hasattr(error, "response") else "", error.body)
    raise ValueError("It failed.") from error""",
    "raised while": """try:
    create()
except openai.OpenAIError:
    nothing""",
    "raised from ours": """try:
    swsllm_nb.ask("Hi")
except Exception as error:
    raise ValueError("It failed.") from error""",
}
ROUNDABOUT = ("raised from", "raised while", "raised from ours")
"""Long tracebacks: three scripts will do."""

CALLS = [
    (script, way)
    for script in SCRIPTS
    for way in WAYS
    if way not in ROUNDABOUT or script in ("401", "429", "midway")
]
WITHOUT_A_CALL = [
    "%tb",
    "%xmode Verbose",
    "%tb",
    "client",
    "vars(swsllm_nb.last()) if swsllm_nb.last() else None",
    "client, client.chat.completions, client.with_options(max_retries=0)",
    "%llm",
    "%llm log",
    "swsllm_nb.log()",
    "swsllm_nb.log().to_dict()",
    "%%llm --estimate\nHi",
    "import os\nkey = os.environ['MARKED']\nNone",
    "%%llm\nMy key is {{ key }}",
    "%%llm -s \"{{ key }}\"\nHi",
    "swsllm_nb.ask('My key is ' + key)",
    "swsllm_nb.ask('Hi', system=key)",
    "swsllm_nb.client(base_url=5, api_key=key)",
    "swsllm_nb.client(base_url=key, api_key='http://h')",
    "swsllm_nb.client(base_url='http://127.0.0.1:9/' + key, api_key=key)",
    "swsllm_nb.client(base_url='http://127.0.0.1:9/', api_key=key + ' and more')",
    "swsllm_nb.ask('Hi', model=key)",
    "from IPython import get_ipython\nget_ipython().run_line_magic('llm', f'set key={key}')",
    "get_ipython().run_cell_magic('llm', f'-s {key}', 'Hi')",
]  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Everything that a run of a notebook produced, by what it is."""

    server: FakeOpenAI
    produced: dict[str, str]
    notebook: Any


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder, home = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("home")
    cells: list[tuple[str, Scripted | None]] = [(HEAD, None)]
    cells += [(way, SCRIPTS["401"]) for way in WAYS.values()]
    cells += [(source, None) for source in WITHOUT_A_CALL]
    # From here on tracebacks show the variables of every frame.
    cells += [(WAYS[way], SCRIPTS[script]) for script, way in CALLS]
    with FakeOpenAI() as server:
        (folder / ".env").write_text(f"SWSLLM_BASE_URL={server.base_url}\nSWSLLM_API_KEY={KEY}\n")
        places = {"HOME": str(home), "XDG_DATA_HOME": str(home), "IPYTHONDIR": str(home)}
        notebook, replies = execute(server, cells, folder, places)
        nbformat.write(notebook, folder / "saved.ipynb")
        files = [path for place in (folder, home) for path in place.rglob("*") if path.is_file()]
        produced = {
            str(path): path.read_bytes().decode("utf-8", "replace")
            for path in files
            if path.name != ".env"
        }
        yield Run(server, produced | {"replies": replies}, notebook)


def execute(
    server: FakeOpenAI,
    cells: list[tuple[str, Scripted | None]],
    folder: Path,
    places: dict[str, str],
) -> tuple[Any, str]:
    notebook: Any = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source, _ in cells]
    replies: list[Any] = []

    def begin(cell: Any, cell_index: int) -> None:
        server.default = cells[cell_index][1] or Scripted()

    def end(cell: Any, cell_index: int, execute_reply: Any) -> None:
        replies.append(execute_reply)

    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", allow_errors=True,
        resources={"metadata": {"path": str(folder)}}, on_cell_execute=begin, on_cell_executed=end,
    )  # fmt: skip
    code = {"PYTHONPATH": str(Path(__file__).parents[1]), "MARKED": KEY}
    with (folder / "stderr").open("wb") as stderr:
        client.execute(env=os.environ | code | places, stderr=stderr)
    return notebook, repr(replies)


def test_nothing_that_was_produced_holds_the_key(run: Run) -> None:
    assert {Path(name).suffix for name in run.produced} >= {".ipynb", ".sqlite3"}
    assert [name for name, text in run.produced.items() if MARK in text] == []


def test_no_request_holds_it_but_in_the_one_header(run: Run) -> None:
    assert len(run.server.requests) > len(CALLS)
    for request in run.server.requests:
        assert request.headers.pop("authorization") == f"Bearer {KEY}"
        assert MARK not in f"{request.path} {request.headers} {request.raw!r}"


def test_every_cell_did_what_it_is_here_for(run: Run) -> None:
    """A run in which nothing happens would hold no key either."""
    failed = [
        any(output.output_type == "error" for output in cell.outputs) for cell in run.notebook.cells
    ]
    assert not failed[0]
    assert all(failed[1 : 1 + len(WAYS)])
    for (script, way), failure in zip(CALLS, failed[-len(CALLS) :], strict=True):
        # Only streams are cut in the middle.
        assert failure or (script == "cut" and way in ("not streamed", "plain")), (script, way)
    others = run.notebook.cells[1 + len(WAYS) : -len(CALLS)]
    told = dict(zip(WITHOUT_A_CALL, others, strict=True))
    for source, cell in told.items():
        if "key" in source and "environ" not in source:
            assert cell.outputs[-1].output_type == "error", source
            assert len(cell.outputs[-1].traceback) == 1, source


def test_tracebacks_of_a_script_do_not_show_it(tmp_path: Path) -> None:
    script = (
        "import logging, os, sys, traceback, swsllm_nb\n"
        "logging.basicConfig(level='DEBUG')\n"
        "client = swsllm_nb.client()\n"
        "print(repr(client), repr(client.chat.completions), vars(swsllm_nb))\n"
        "for call in (lambda: swsllm_nb.ask('Hi'), lambda: client.chat.completions.create(\n"
        "        model='gpt-4o-mini', messages=[])):\n"
        "    try:\n"
        "        call()\n"
        "    except Exception as error:\n"
        "        lines = traceback.TracebackException.from_exception(error, capture_locals=True)\n"
        "        print(*lines.format(), sep='')\n"
    )
    with FakeOpenAI(default=SCRIPTS["401"]) as server:
        told = {"SWSLLM_BASE_URL": server.base_url, "SWSLLM_API_KEY": KEY}
        run = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | told | {"PYTHONPATH": str(Path(__file__).parents[1])},
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert "does not accept your key (401)" in run.stdout
    assert "AuthenticationError" in run.stdout
    assert MARK not in run.stdout + run.stderr
