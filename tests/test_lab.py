"""``swsllm lab`` as a teacher runs it: a kernel calls the proxy, and Ctrl-C ends everything."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from proxies import clean_environment

from swsllm_nb.proxy.lab import kernel_environment, notebook_folder

REPOSITORY = Path(__file__).parents[1]
WAIT_SECONDS = 60


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(true: Any, what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def processes_with(mark: str) -> list[int]:
    """Living processes whose environment holds a text (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark.encode() in environment and state != "Z":
            found.append(int(folder.name))
    return found


@contextmanager
def running_lab(
    data: Path, *words: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    log = data.parent / "lab.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "swsllm_nb", "lab", "--no-browser", "--data", str(data), *words],
            env=clean_environment(**environment),
            cwd=data.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        try:
            until(lambda: "token=" in log.read_text() or process.poll() is not None, "no address")
            yield process, log.read_text()
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(WAIT_SECONDS)


KERNEL_QUESTION = """
import json, os
from urllib.error import HTTPError
from urllib.request import Request, urlopen
base, key = os.environ["SWSLLM_BASE_URL"], os.environ["SWSLLM_API_KEY"]
account = json.load(urlopen(Request(base + "/account", headers={"Authorization": "Bearer " + key})))
refused = Request(base + "/chat/completions", b'{"model": "gpt-9", "messages": []}',
                  {"Authorization": "Bearer " + key})
try:
    urlopen(refused)
except HTTPError as error:
    error.close()
secrets = [name for name in os.environ if name.startswith(("SWSLLM_", "OPENAI_"))]
print(json.dumps({"account": account, "names": sorted(secrets)}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc for what is left running")
@pytest.mark.parametrize("stop", ["SIGINT", "SIGHUP"])
def test_lab_gives_a_kernel_five_dollars_and_no_secret_and_leaves_nothing_running(
    tmp_path: Path, stop: str
) -> None:
    mark = f"MARK_{os.getpid()}_{time.monotonic_ns()}"
    port = free_port()
    options = ("--port", str(port), str(REPOSITORY / "notebooks"))
    secrets = {
        "SWSLLM_SECRET": "1:" + "x" * 40,
        "SWSLLM_UPSTREAM_KEY": "sk-teacher",
        "OPENAI_API_KEY": "sk-teacher-too",
        "TEST_MARK": mark,
    }
    with running_lab(tmp_path / "data", *options, **secrets) as (process, log):
        address = re.search(rf"http://\S+:{port}/\S+token=\w+", log)
        assert address, log
        assert "/lab/tree/student/00_start_here.ipynb" in log
        # JupyterLab prints its address a moment before it listens there.
        until(lambda: is_listening(port), "JupyterLab does not listen")
        proxy_port = int(re.search(r"http://127\.0\.0\.1:(\d+)", log).group(1))  # type: ignore[union-attr]
        answer = kernel_answer(port, address.group(0).partition("token=")[2])
        assert answer["names"] == ["SWSLLM_API_KEY", "SWSLLM_BASE_URL"]
        assert answer["account"]["budget_usd"] == "5.00"
        assert answer["account"]["remaining_usd"] == "5.00"
        process.send_signal(getattr(signal, stop))
        assert process.wait(WAIT_SECONDS) == 0
    with closing(sqlite3.connect(tmp_path / "data" / "swsllm.sqlite3")) as database:
        assert database.execute("SELECT refusals FROM refusals").fetchall() == [(1,)]
    assert not is_listening(port)
    assert not is_listening(proxy_port)
    until(lambda: processes_with(mark) == [], "something is still running")


def kernel_answer(port: int, token: str) -> Any:
    """Start a kernel in the running JupyterLab and run a question in it."""
    from jupyter_client.blocking import BlockingKernelClient

    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/kernels",
        method="POST",
        headers={"Authorization": f"token {token}"},
    )
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
        kernel_id = json.load(answer)["id"]
    runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{kernel_id}.json"))
    client.load_connection_file()
    # A kernel that is slow to start has no heartbeat yet, and would be taken for dead.
    client.start_channels(hb=False)
    try:
        client.wait_for_ready(timeout=WAIT_SECONDS)
        printed: list[str] = []
        client.execute_interactive(
            KERNEL_QUESTION,
            timeout=WAIT_SECONDS,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
        return json.loads("".join(printed))
    finally:
        client.stop_channels()


def test_kernels_get_address_and_key_and_no_other_secret_of_ours() -> None:
    teachers = {"PATH": "/bin", "SWSLLM_UPSTREAM_KEY": "a", "OPENAI_API_KEY": "b"}
    assert kernel_environment(teachers, "http://127.0.0.1:1", "sws-k") == {
        "PATH": "/bin",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "SWSLLM_BASE_URL": "http://127.0.0.1:1",
        "SWSLLM_API_KEY": "sws-k",
    }


def test_the_notebooks_are_those_told_else_those_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert notebook_folder(tmp_path) == tmp_path
    monkeypatch.chdir(REPOSITORY)
    assert notebook_folder(None) == Path("notebooks")


def test_a_folder_that_does_not_exist_is_refused_in_one_sentence(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "swsllm_nb", "lab", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "does not exist" in run.stderr
