"""Where a request's microseconds go: py-spy looks at ours while wrk posts on 32 connections."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from load.peers import Peer
from load.plain import post
from load.processes import LOAD_CORE, NotStarted, thread_seconds
from load.rounds import MANY, WARM_SECONDS, Plan

LOOKS_PER_SECOND = 250
SHOWN = 40
OURS = "swsllm_nb/"


@dataclass(frozen=True)
class Stack:
    """What a thread was seen in, outermost frame first, and how often."""

    thread_id: int
    thread: str
    frames: list[str]
    times: int


def stacks_of(text: str) -> list[Stack]:
    """Lines like ``thread (123): MainThread;run (asyncio/runners.py:86) 4``."""
    found = []
    for line in text.splitlines():
        seen, _, times = line.rpartition(" ")
        head, *frames = seen.split(";")
        named = re.fullmatch(r"thread \((\d+)\)(?:: (.*))?", head)
        if named and frames:
            found.append(Stack(int(named[1]), named[2] or "?", frames, int(times)))
    return found


def tables_of(stacks: list[Stack], thread_us: dict[int, float]) -> dict[str, Counter[str]]:
    """Microseconds by thread, by part and by function.

    A thread that waits for the core looks as if it ran. So the looks only divide what the system
    says that their thread really took.
    """
    looks: Counter[int] = Counter()
    for stack in stacks:
        looks[stack.thread_id] += stack.times
    threads: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for stack in stacks:
        taken = thread_us.get(stack.thread_id, 0) * stack.times / looks[stack.thread_id]
        frames = stack.frames
        # Ours stands for what it calls; what runs outside of ours stands for itself.
        mine = any(OURS in frame for frame in frames)
        for table, name in (
            (threads, stack.thread),
            (parts, _within(frames) if mine else _of_library(frames[-1])),
            (functions, frames[-1]),
        ):
            # A Counter of fractions is one all the same.
            table[name] += taken  # type: ignore[assignment]
    return {
        "By thread": threads,
        "By part (innermost function of ours > library it was in; else the library)": parts,
        "By function, own time": functions,
    }


def _within(frames: list[str]) -> str:
    """The innermost function of ours, and the library that was running below it."""
    number = max(index for index, frame in enumerate(frames) if OURS in frame)
    below = frames[number + 1 :]
    name = frames[number].partition(" (")
    file = name[2].rpartition(":")[0].removeprefix(OURS)
    library = f"  > {_of_library(below[-1])}" if below else ""
    return f"{file} {name[0]}{library}"


def _of_library(frame: str) -> str:
    """``uvicorn/protocols/http/httptools_impl.py:463`` is uvicorn."""
    file = frame.rpartition("(")[2].rstrip(")")
    return file.partition(":")[0].partition("/")[0].removesuffix(".py")


def py_spy() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if not found:
        raise NotStarted("py-spy is not installed")
    return found


def profile(peer: Peer, plan: Plan) -> list[str]:
    """Own time by thread, by part of ours and by function, in microseconds per request."""
    stacks = plan.folder / "stacks.txt"
    post(peer.target, MANY, WARM_SECONDS, plan.folder)
    peer.running.wait_until_quiet()
    looking = subprocess.Popen(
        [
            *("taskset", "-c", LOAD_CORE, py_spy(), "record", "--pid", str(peer.running.pid)),
            *("--rate", str(LOOKS_PER_SECOND), "--duration", str(plan.seconds)),
            *("--format", "raw", "--function", "--threads", "--nonblocking"),
            *("--output", str(stacks)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    before = thread_seconds(peer.running.pid)
    run = post(peer.target, MANY, plan.seconds + 1, plan.folder)
    after = thread_seconds(peer.running.pid)
    _, said = looking.communicate()
    if looking.returncode:
        raise NotStarted(said.strip().splitlines()[-1])
    taken = {
        thread: 1e6 * (seconds - before.get(thread, 0)) / run.requests
        for thread, seconds in after.items()
    }
    lines = [f"{run.rate:,.0f} requests/s, {run.cpu_us:.0f} us of processor time per request"]
    for title, table in tables_of(stacks_of(stacks.read_text()), taken).items():
        lines += ["", title]
        lines += [f"{us:8.1f} us  {name}" for name, us in table.most_common(SHOWN)]
    return lines
