"""Plain calls through every peer in turn, round after round, and the tables of their medians."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from load.machine import fsync_ms
from load.peers import Peer
from load.plain import Run, median, post

MANY = 32
WARM_SECONDS = 1


@dataclass
class Measured:
    """All runs of one peer, by number of connections."""

    runs: dict[int, list[Run]] = field(default_factory=lambda: {1: [], MANY: []})

    def median(self, connections: int, figure: str) -> float:
        return median(self.runs[connections], figure)

    def best_rate(self, connections: int) -> float:
        return max(run.rate for run in self.runs[connections])

    @property
    def failed(self) -> int:
        return sum(run.failed for runs in self.runs.values() for run in runs)


@dataclass(frozen=True)
class Plan:
    """How long and how often, and the folder of all files."""

    folder: Path
    rounds: int
    seconds: float


def measure(peers: Sequence[Peer], plan: Plan) -> tuple[dict[str, Measured], list[float]]:
    """Each peer at 1 and at 32 connections in every round; also a durable write in every round."""
    measured = {peer.name: Measured() for peer in peers}
    fsyncs = []
    for peer in peers:
        post(peer.target, MANY, WARM_SECONDS, plan.folder)
    for number in range(plan.rounds):
        fsyncs.append(fsync_ms(plan.folder, 500))
        # No peer always comes after the same one.
        first = number % len(peers)
        for peer in (*peers[first:], *peers[:first]):
            peer.running.wait_until_quiet()
            for connections, runs in measured[peer.name].runs.items():
                runs.append(post(peer.target, connections, plan.seconds, plan.folder))
    return measured, fsyncs


def rates_table(measured: Mapping[str, Measured], beside: Iterable[str]) -> list[str]:
    """Requests per second at 32 connections, and each peer's ratio to those ``beside``."""
    others = [name for name in beside if name in measured]
    heads = "".join(f"{f'/ {name}':>22}" for name in others)
    lines = [f"{'':22}{'median/s':>10}{'best/s':>10}{'CPU %':>7}{'CPU us':>8}{'p50 ms':>9}{heads}"]
    for name, peer in measured.items():
        rate = peer.median(MANY, "rate")
        ratios = (rate / measured[other].median(MANY, "rate") for other in others)
        lines.append(
            f"{name:22}{rate:10,.0f}{peer.best_rate(MANY):10,.0f}"
            f"{peer.median(MANY, 'cpu_percent'):7.0f}{peer.median(MANY, 'cpu_us'):8.0f}"
            f"{peer.median(MANY, 'p50_ms'):9.2f}"
            + "".join(f"{ratio:22.3f}" for ratio in ratios)
            + (f"   {peer.failed} failed" if peer.failed else "")
        )
    return lines


def latency_table(measured: Mapping[str, Measured], fsyncs: Sequence[float]) -> list[str]:
    """Latency at one connection, and how much is added to the first peer, the upstream."""
    direct = next(iter(measured.values()))
    lines = [
        f"{'':22}{'median/s':>10}{'p50 ms':>9}{'added':>9}{'p99 ms':>9}{'added':>9}{'CPU us':>8}"
    ]
    for name, peer in measured.items():
        p50, p99 = peer.median(1, "p50_ms"), peer.median(1, "p99_ms")
        lines.append(
            f"{name:22}{peer.median(1, 'rate'):10,.0f}"
            f"{p50:9.3f}{p50 - direct.median(1, 'p50_ms'):9.3f}"
            f"{p99:9.3f}{p99 - direct.median(1, 'p99_ms'):9.3f}{peer.median(1, 'cpu_us'):8.0f}"
        )
    fsync = sorted(fsyncs)[len(fsyncs) // 2]
    lines.append(
        f"one fsync of this disk: {fsync:.3f} ms (4 KiB + fdatasync, median of 500 in each round, "
        f"median of {len(fsyncs)}); 0.5 ms + two fsyncs = {0.5 + 2 * fsync:.3f} ms"
    )
    return lines
