"""What a call costs beside the bare openai client doing the same, against a stub on loopback.

    python tests/benchmarks/calls.py [CALLS]

The stub is a process of its own: plain answers at once, streams of 20 chunks either at once or, as
a quick model would, one every 5 ms. All ways are interleaved in one run; printed are the median
of each and its ratio to the bare client. The aim is at most 1.10. All streams ask for usage:
without it nobody would know what a call cost.

Then the log alone: a row of 1 kB of text appended (at most 100 µs of the call's time), and
``log()`` of 10,000 such rows (at most 0.2 s).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
MODEL = "gpt-4o-mini"
MESSAGES: list[Any] = [{"role": "user", "content": "What is a token?"}]

ANSWER = json.dumps(
    {
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": {"content": "word " * 200}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 200},
    }
).encode()

STUB = """
import sys, time
sys.path.insert(0, {tests!r})
from fake_openai import FakeOpenAI, Scripted
pieces = tuple("word " for _ in range(20))
with FakeOpenAI(default=Scripted(chunks=pieces, wait_between_chunks={wait})) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""

Way = Callable[[], object]


def stub(wait_seconds: float) -> tuple[subprocess.Popen[str], str]:
    code = STUB.format(tests=str(HERE), wait=wait_seconds)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def ways(base_url: str) -> dict[str, tuple[Way, Way]]:
    """Each way of calling, with the bare client's way of doing the same."""
    from IPython.core.interactiveshell import InteractiveShell
    from openai import OpenAI
    from traitlets.config import Config

    import swsllm_nb

    os.environ.update(SWSLLM_BASE_URL=base_url, SWSLLM_API_KEY="sws-benchmark")
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "swsllm_nb")
    bare = OpenAI(base_url=base_url, api_key="sws-benchmark")
    logged = swsllm_nb.client()

    def plain(client: OpenAI) -> object:
        return client.chat.completions.create(model=MODEL, messages=MESSAGES)

    def streamed(client: OpenAI) -> object:
        create = client.chat.completions.create
        usage: Any = {"stream_options": {"include_usage": True}}
        return list(create(model=MODEL, messages=MESSAGES, stream=True, **usage))

    def magic() -> object:
        return shell.run_cell_magic("llm", "", "What is a token?\n")

    return {
        "client(), plain": (lambda: plain(logged), lambda: plain(bare)),
        "client(), stream": (lambda: streamed(logged), lambda: streamed(bare)),
        "%%llm, stream": (magic, lambda: streamed(bare)),
    }


def timed(way: Way) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def measure(title: str, wait_seconds: float, calls: int) -> list[str]:
    process, base_url = stub(wait_seconds)
    lines = [title]
    try:
        for name, (ours, bare) in ways(base_url).items():
            for _ in range(10):
                ours(), bare()
            pairs = [(timed(ours), timed(bare)) for _ in range(calls)]
            mine, theirs = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
            lines.append(
                f"  {name:18} {mine:8.2f} ms   bare {theirs:8.2f} ms   ratio {mine / theirs:.3f}"
            )
    finally:
        process.communicate()
    return lines


def measure_log(rows: int = 10_000) -> list[str]:
    from swsllm_nb.notebook.calls import CallLog, Whereabouts
    from swsllm_nb.notebook.exchange import Exchange

    body = {"model": MODEL, "messages": MESSAGES}
    exchange = Exchange(body, Whereabouts())
    exchange.begin(200, {})
    exchange.feed(ANSWER)
    exchange.end()
    call = exchange.call("complete")
    with tempfile.TemporaryDirectory() as folder:
        log = CallLog(Path(folder) / "log.sqlite3")
        appended = [timed(lambda: log.append(call)) for _ in range(rows)]
        log.close()
        assert len(log.frame()) == rows
        shown = [timed(log.frame) for _ in range(10)]
    rest = statistics.quantiles(appended, n=100)[98] * 1e6
    median, longest = statistics.median(shown), max(shown)
    return [
        "the log",
        f"  append a row  {statistics.median(appended) * 1e6:6.1f} µs, 99 of 100 in {rest:.1f} µs",
        f"  log() of {rows:,} rows  {median:.3f} s, longest {longest:.3f} s",
    ]


def main(calls: int = 200) -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(XDG_DATA_HOME=home, IPYTHONDIR=home)
        printed = sys.stdout
        with Path(os.devnull).open("w") as sys.stdout:
            lines = measure("20 chunks at once", 0, calls)
            lines += measure("20 chunks, one every 5 ms", 0.005, calls)
        lines += measure_log()
        sys.stdout = printed
    print(f"medians of {calls}, interleaved")
    print("\n".join(lines))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
