"""What a student's picture of many calls costs beside an empty figure of the same size.

    python tests/benchmarks/pictures.py [CALLS]

Each is drawn and written as a PNG, in turns with an empty figure, seven times; printed are the
medians and their ratio. The aim for the burn-down of 20,000 calls is at most 3. The frame is made
once: what a proxy takes to tell so many rows is of ``benchmarks/pages.py``.
"""

import contextlib
import io
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import matplotlib
import pandas as pd
from matplotlib import pyplot

from swsllm_nb.notebook.pictures import burn_down, cost_by, tokens, what_if

DPI = 192
TURNS = 7
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def ledger(calls: int) -> pd.DataFrame:
    rng = random.Random(7)
    rows = range(calls)
    first = NOW - timedelta(days=60)
    frame = pd.DataFrame(
        {
            "at": [first + timedelta(days=60) * (row / calls) for row in rows],
            "status": "ok",
            "kind": "call",
            "state": "settled",
            "cost_usd": [3.0 / calls * rng.lognormvariate(-0.5, 1) for _ in rows],
            "granted_usd": 0.0,
            "held_usd": 0.0,
            "model": [rng.choice(["gpt-4o-mini", "gpt-4o", "o3-mini"]) for _ in rows],
            "exercise": [rng.choice(["", "ex1", "ex2", "ex3", "ex4", "ex5", "ex6"]) for _ in rows],
            "prompt_tokens": [rng.randint(10, 4000) for _ in rows],
            "completion_tokens": [rng.randint(10, 900) for _ in rows],
        }
    )
    grant = {"at": first, "status": "", "kind": "grant", "state": "", "granted_usd": 5.0}
    return pd.concat([pd.DataFrame([grant]), frame], ignore_index=True)


def timed(draw: Callable[[], object]) -> tuple[float, Any]:
    """Seconds, and the inches of the figure: one with a long legend is larger."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        draw()
    figure = pyplot.gcf()
    figure.savefig(io.BytesIO(), format="png", dpi=DPI)
    took = time.perf_counter() - began
    pyplot.close("all")
    return took, figure.get_size_inches()


def main(calls: int) -> None:
    matplotlib.use("agg")
    frame = ledger(calls)
    ways: dict[str, Callable[[], object]] = {
        "burn_down": lambda: burn_down(frame, until="2027-01-31"),
        "burn_down by model": lambda: burn_down(frame, until="2027-01-31", by="model"),
        "burn_down by exercise": lambda: burn_down(frame, until="2027-01-31", by="exercise"),
        "cost_by": lambda: cost_by(frame),
        "tokens": lambda: tokens(frame),
        "what_if": lambda: what_if(frame, model="gpt-4o"),
    }
    sizes = {name: timed(draw)[1] for name, draw in ways.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, draw in ways.items():
            empty = partial(pyplot.subplots, figsize=sizes[name], layout="constrained")
            taken[name].append((timed(empty)[0], timed(draw)[0]))
    for name, pairs in taken.items():
        base, median = (statistics.median(each) for each in zip(*pairs, strict=True))
        print(f"{name:<22} {1000 * median:7.0f} ms   empty {1000 * base:7.0f} ms   "
              f"x {median / base:.2f}")  # fmt: skip


if __name__ == "__main__":
    main(*(int(count) for count in sys.argv[1:2] or ["20000"]))
