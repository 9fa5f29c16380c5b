r"""What showing a long answer while it comes costs the connection and the browser.

    python tests/benchmarks/streaming.py [DELTAS_PER_SECOND]

A scripted server streams 20 kB of markdown (prose, code, tables, formulas) in 2,000 deltas to a
``%%llm`` cell, once in a bare kernel, where the bytes on its iopub channel are counted and divided
by those of repainting on every delta, and once in JupyterLab in Chromium, which reports its long
tasks (over 50 ms). The aims are at most 10 % and no long task.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE))

from browser.rig import JupyterServer, chromium, jupyter_lab, open_notebook, write_notebook  # noqa: E402
from fake_openai import FakeOpenAI, Scripted  # noqa: E402
from jupyter_client.manager import KernelManager  # noqa: E402

DELTAS, DELTA_CHARACTERS = 2_000, 10

PROSE = """
Every word of an answer is drawn from a list of all words, each with a probability. The model does
not look anything up: it has **learned** which words follow which, and a *temperature* says how far
down the list it may reach. With a low one it says the same each time; with a high one it surprises,
and is more often wrong. Neither makes it know more than it does.
"""
SECTION = r"""
## Part {number}: what softmax does

A model gives a score {x} to each word, and **softmax** makes probabilities of the scores:

{formula}

```python
def softmax(x: np.ndarray, temperature: float = {number}.0) -> np.ndarray:
    # stable: the largest score becomes 0
    scores = np.exp((x - x.max()) / temperature)
    return scores / scores.sum()
```

| T | likeliest | costs |
|--:|:--|--:|
| 0.{number} | always the same | $0.0{number} |
| 1.{number} | *mostly* | $0.1{number} |

{prose}
1. With a low temperature the `argmax` is left, see [the page](https://example.org/{number}).
2. With a high one every word is as likely as any other.
"""


def section(number: int, has_formulas: bool, paragraphs: int) -> str:
    formula = r"\[ p_i = \frac{e^{x_i / T}}{\sum_j e^{x_j / T}} \]"
    x, formula = (r"\(x_i\)", formula) if has_formulas else ("`x`", "p = exp(x / T) / sum")
    prose = PROSE * paragraphs
    return SECTION.format(number=number, x=x, formula=formula, prose=prose)


def answer(sections_with_formulas: int, paragraphs: int) -> str:
    sections = (
        section(number, number < sections_with_formulas, paragraphs) for number in range(50)
    )
    return "".join(sections)[: DELTAS * DELTA_CHARACTERS]


USUAL = answer(sections_with_formulas=4, paragraphs=4)
DENSE = answer(sections_with_formulas=50, paragraphs=0)

ON_EVERY_DELTA = f"""
from swsllm_nb.notebook.display import LiveAnswer
live, answer = LiveAnswer(), {USUAL!r}
for end in range({DELTA_CHARACTERS}, len(answer) + 1, {DELTA_CHARACTERS}):
    live.finish(answer[:end], "")
"""
CELLS = ("%load_ext swsllm_nb", "%%llm\nWhat is softmax?")

WATCH = """() => {
    window.longTasks = [];
    new PerformanceObserver(list => {
        for (const task of list.getEntries()) window.longTasks.push(Math.round(task.duration));
    }).observe({entryTypes: ['longtask']});
}"""


def pieces(text: str) -> tuple[str, ...]:
    return tuple(text[at : at + DELTA_CHARACTERS] for at in range(0, len(text), DELTA_CHARACTERS))


def iopub_bytes(client: Any, code: str) -> tuple[int, int]:
    """Bytes and messages that one cell sends to whoever looks."""
    message_id = client.execute(code)
    total = messages = 0
    while True:
        frames = client.iopub_channel.socket.recv_multipart()
        total += sum(map(len, frames))
        messages += 1
        _, parts = client.session.feed_identities(frames)
        message = client.session.deserialize(parts)
        assert message["msg_type"] != "error", message["content"]
        is_idle = message["content"].get("execution_state") == "idle"
        if is_idle and message["parent_header"].get("msg_id") == message_id:
            return total, messages


def in_a_kernel(environment: dict[str, str]) -> str:
    kernel = KernelManager(kernel_name="python3")
    kernel.start_kernel(env=environment)
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        iopub_bytes(client, CELLS[0])
        started_at = time.monotonic()
        ours, messages = iopub_bytes(client, CELLS[1])
        seconds = time.monotonic() - started_at
        every_delta, _ = iopub_bytes(client, ON_EVERY_DELTA)
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    return (
        f"iopub: {ours:,} bytes in {messages} messages over {seconds:.1f} s, {every_delta:,} when "
        f"repainted on every delta: ratio {ours / every_delta:.3f}"
    )


def in_jupyterlab(lab: JupyterServer, title: str) -> str:
    write_notebook(lab.folder, "streaming.ipynb", *CELLS)
    with chromium() as browser, open_notebook(browser, lab, "streaming.ipynb") as notebook:
        notebook.run(0)
        notebook.page.evaluate(WATCH)
        notebook.run(1).locator(".swsllm-footnote").wait_for()
        notebook.page.wait_for_timeout(1_000)
        long_tasks: list[int] = notebook.page.evaluate("() => window.longTasks")
    return f"JupyterLab, {title}: {len(long_tasks)} long tasks, in ms {long_tasks}"


def main(deltas_per_second: float = 200) -> None:
    pause = 1 / deltas_per_second
    usual = Scripted(chunks=pieces(USUAL), wait_between_chunks=pause)
    dense = Scripted(chunks=pieces(DENSE), wait_between_chunks=pause)
    with FakeOpenAI(default=usual) as server, tempfile.TemporaryDirectory() as home:
        from proxies import clean_environment

        ours = {
            "SWSLLM_BASE_URL": server.base_url,
            "SWSLLM_API_KEY": "sws-benchmark",
            "PYTHONPATH": str(HERE.parent),
        }
        folders = {"XDG_DATA_HOME": home, "IPYTHONDIR": home}
        print(f"{len(USUAL):,} characters in {DELTAS:,} deltas, {deltas_per_second:g} a second")
        print(in_a_kernel(clean_environment(**ours, **folders)))
        with jupyter_lab(Path(home) / "lab", ours) as lab:
            print(in_jupyterlab(lab, "prose with some of each"))
            server.answers.append(dense)
            print(in_jupyterlab(lab, "all code, tables and formulas"))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
