"""A server that nobody here wrote: LiteLLM's proxy, as PyPI has it.

It answers from its configuration, offline, in its own shapes. LiteLLM pins a hundred packages, so
it lives in an environment of its own; the variable LITELLM names its command.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from proxies import clean_environment, end
from tools import find

START_SECONDS = 90

MINI = "gpt-4o-mini-2024-07-18"
ANSWER = "Hello from a server that nobody here wrote."
UPSTREAM_KEY = "sk-foreign-upstream-secret"
# What LiteLLM is to answer for each of the course's models, in its own words.
MOCKED = {
    MINI: ANSWER,
    "gpt-4o-2024-11-20": "litellm.RateLimitError",
    "o3-mini-2025-01-31": "litellm.InternalServerError",
}


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running LiteLLM."""
    command = os.environ.get("LITELLM") or find("litellm")
    folder = tmp_path_factory.mktemp("litellm")
    rows = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_key": "-", "mock_response": answer},
        }
        for name, answer in MOCKED.items()
    ]
    told = {"model_list": rows, "litellm_settings": {"num_retries": 0}}
    # JSON is YAML too.
    (folder / "config.yaml").write_text(json.dumps(told))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [command, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env=clean_environment(
                LITELLM_MASTER_KEY=UPSTREAM_KEY, LITELLM_LOCAL_MODEL_COST_MAP="True"
            ),
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            wait_until_alive(port, process, folder / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            end(process)


def wait_until_alive(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
