"""Where a request's microseconds go: py-spy looks at ours while wrk posts on 32 connections."""

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from load.peers import Peer
from load.plain import post
from load.processes import LOAD_CORE, NotStarted
from load.rounds import MANY, WARM_SECONDS, Plan

LOOKS_PER_SECOND = 250
SHOWN = 45


def py_spy() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if not found:
        raise NotStarted("py-spy is not installed")
    return found


def profile(peer: Peer, plan: Plan) -> list[str]:
    """Top functions by own time, and the same by file, each in microseconds per request."""
    stacks = plan.folder / "stacks.txt"
    post(peer.target, MANY, WARM_SECONDS, plan.folder)
    looking = subprocess.Popen(
        [
            *("taskset", "-c", LOAD_CORE, py_spy(), "record", "--pid", str(peer.running.pid)),
            *("--rate", str(LOOKS_PER_SECOND), "--duration", str(max(round(plan.seconds), 1))),
            *("--format", "raw", "--function", "--threads", "--nonblocking"),
            *("--output", str(stacks)),
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    run = post(peer.target, MANY, plan.seconds + 1, plan.folder)
    _, said = looking.communicate()
    if looking.returncode:
        raise NotStarted(said.strip().splitlines()[-1])
    own, files = counted(stacks.read_text())
    looks = max(sum(own.values()), 1)
    share = run.cpu_us / looks
    head = (
        f"{run.rate:,.0f} requests/s, {run.cpu_us:.0f} us of processor time per request, "
        f"{looks:,} looks"
    )
    lines = [head]
    lines += [f"{count * share:8.1f} us  {name}" for name, count in files.most_common(25)]
    lines += ["by function:"]
    lines += [f"{count * share:8.1f} us  {name}" for name, count in own.most_common(SHOWN)]
    return lines


def counted(stacks: str) -> tuple[Counter[str], Counter[str]]:
    """Looks by function that was running, and by its file."""
    own: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        thread, _, rest = frames.partition(";")
        leaf = rest.rpartition(";")[2] or thread
        own[leaf] += int(count)
        files[leaf.rpartition("(")[2].rstrip(")")] += int(count)
    return own, files
