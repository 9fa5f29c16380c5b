"""A shell of a test's own, its cells, and a kernel that is asked as a front end asks it."""

import atexit
import os
import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_openai import FakeOpenAI
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.utils.capture import capture_output
from jupyter_client.manager import KernelManager
from traitlets.config import Config

import swsllm_nb

__all__ = [
    "COST",
    "KEY",
    "Cell",
    "Outputs",
    "bare_shell",
    "connected",
    "running_kernel",
    "server",
    "shell",
]

KEY = "sk-marked-0123456789abcdef"
COST = {"cost_usd": "0.0001", "remaining_usd": "3.91", "budget_usd": "5.00"}
SECONDS = 60


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
def bare_shell() -> Iterator[InteractiveShell]:
    """A shell without any extension."""
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    running = InteractiveShell.instance(config=config)
    yield running
    swsllm_nb.unload_ipython_extension(running)
    atexit.unregister(running.atexit_operations)
    running.atexit_operations()
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    bare_shell.run_line_magic("load_ext", "swsllm_nb")
    return bare_shell


class Cell:
    """What running a cell gave, and everything that a reader of the notebook would see of it."""

    def __init__(self, shell: InteractiveShell, text: str, **run: Any) -> None:
        with capture_output() as seen:
            self.result: ExecutionResult = shell.run_cell(text, store_history=True, **run)
        self.error = self.result.error_in_exec
        self.outputs = [output.data for output in seen.outputs]
        self.shown = "\n".join([seen.stdout, seen.stderr, *map(str, self.outputs)])
        self.last_output: dict[str, str] = self.outputs[-1] if self.outputs else {}


@contextmanager
def running_kernel(folder: Path) -> Iterator[tuple[KernelManager, Any]]:
    """A real kernel and its client; what it may know of a key is in its environment."""
    kernel = KernelManager(kernel_name="python3")
    kernel.start_kernel(
        cwd=str(folder),
        env=os.environ | {"PYTHONPATH": str(Path(swsllm_nb.__file__).parents[1])},
    )
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=SECONDS)
        yield kernel, client
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)


class Outputs:
    """Reads what a kernel publishes."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, code: str) -> str:
        messages = self.until_idle(self._client.execute(code))
        return "".join(str(each["content"]) for each in messages)

    def wait_for(self, message_id: str, text: str) -> None:
        for message in self._messages(message_id):
            if text in str(message["content"]):
                return

    def until_idle(self, message_id: str) -> list[Any]:
        seen = []
        for message in self._messages(message_id):
            seen.append(message)
            if message["content"].get("execution_state") == "idle":
                break
        return seen

    def _messages(self, message_id: str) -> Iterator[Any]:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                message = self._client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") == message_id:
                yield message
        raise AssertionError("the kernel did not say it in time")
