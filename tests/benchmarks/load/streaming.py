"""Paced streams through every peer: what share arrives, and when the first chunk does."""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from load.paced import CHUNKS_PER_SECOND
from load.peers import Peer
from load.processes import LOAD_CORE, environment
from load.rounds import Plan

STREAMS = 200
CHUNKS = 400
FEW_CHUNKS = 4
"""Of a stream of which only the first chunk matters: it is soon over, and the next begins."""

Seen = dict[str, Any]


def read(peer: Peer, upstream: Peer, streams: int, chunks: int, seconds: float) -> Seen:
    wanted = {
        "port": peer.port,
        "keys": peer.keys,
        "streams": streams,
        "chunks": chunks,
        "seconds": seconds,
        "watch": [upstream.running.pid, peer.running.pid],
    }
    ran = subprocess.run(
        ["taskset", "-c", LOAD_CORE, sys.executable, "-m", "load.reader", json.dumps(wanted)],
        capture_output=True, text=True, check=True, env=environment(),
    )  # fmt: skip
    seen: Seen = json.loads(ran.stdout)
    return seen


def measure(peers: Sequence[Peer], plan: Plan) -> dict[str, dict[int, list[Seen]]]:
    """1 and 200 streams through each peer in every round; the first peer is the upstream."""
    upstream = peers[0]
    seen: dict[str, dict[int, list[Seen]]] = {peer.name: {1: [], STREAMS: []} for peer in peers}
    for peer in peers:
        read(peer, upstream, 1, FEW_CHUNKS, 0.5)
    for number in range(plan.rounds):
        first = number % len(peers)
        for peer in (*peers[first:], *peers[:first]):
            peer.running.wait_until_quiet()
            one = read(peer, upstream, 1, FEW_CHUNKS, plan.seconds)
            seen[peer.name][1].append(one)
            many = read(peer, upstream, STREAMS, CHUNKS, plan.seconds)
            seen[peer.name][STREAMS].append(many)
    return seen


def table(seen: Mapping[str, Mapping[int, Sequence[Seen]]]) -> list[str]:
    offered = STREAMS * CHUNKS_PER_SECOND
    direct = next(iter(seen.values()))
    direct_rate, direct_first = _median(direct[STREAMS], "rate"), _median(direct[1], "first_ms")
    head = (
        f"{'':22}{'chunks/s':>10}{'of offered':>12}{'of direct':>11}{'CPU %':>7}"
        f"{'1st ms, 200':>13}{'1st ms, 1':>11}{'added':>8}"
    )
    lines = [head]
    for name, runs in seen.items():
        many, one = runs[STREAMS], runs[1]
        rate, first = _median(many, "rate"), _median(one, "first_ms")
        failed = sum(run["failed"] for run in (*many, *one))
        cpu = statistics.median(run["percent"][1] for run in many)
        lines.append(
            f"{name:22}{rate:10,.0f}{rate / offered:12.1%}{rate / direct_rate:11.1%}{cpu:7.0f}"
            f"{_median(many, 'first_ms'):13.1f}{first:11.3f}{first - direct_first:8.3f}"
            + (f"   {failed} failed" if failed else "")
        )
    client = _median(direct[STREAMS], "own_percent")
    server = statistics.median(run["percent"][0] for run in direct[STREAMS])
    lines.append(
        f"direct, the load's own core is used by the client {client:.0f} % and by the upstream "
        f"{server:.0f} %; aims: 85 % of offered, one stream's first chunk at most 1 ms later"
    )
    return lines


def _median(runs: Sequence[Seen], figure: str) -> float:
    told = [run[figure] for run in runs if run[figure] is not None]
    return statistics.median(told) if told else float("nan")
