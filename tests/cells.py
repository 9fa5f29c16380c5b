"""A shell with the extension loaded, on a scripted server, and what a cell shows in it."""

import atexit
from collections.abc import Iterator
from typing import Any

import pytest
from fake_openai import FakeOpenAI
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import swsllm_nb

KEY = "sk-marked-0123456789abcdef"


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as running:
        yield running


@pytest.fixture
def connected(server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> FakeOpenAI:
    monkeypatch.setenv("SWSLLM_BASE_URL", server.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", KEY)
    return server


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    running = InteractiveShell.instance(config=config)
    running.run_line_magic("load_ext", "swsllm_nb")
    yield running
    swsllm_nb.unload_ipython_extension(running)
    atexit.unregister(running.atexit_operations)
    running.atexit_operations()
    InteractiveShell.clear_instance()


class Cell:
    """What running a cell gave, and everything that a reader of the notebook would see of it."""

    def __init__(self, shell: InteractiveShell, text: str, **run: Any) -> None:
        with capture_output() as seen:
            self.result: ExecutionResult = shell.run_cell(text, store_history=True, **run)
        self.error = self.result.error_in_exec
        bundles = [str(output.data) for output in seen.outputs]
        self.shown = "\n".join([seen.stdout, seen.stderr, *bundles])
        self.last_output: dict[str, str] = seen.outputs[-1].data if seen.outputs else {}
