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
    def full_core_rate(self) -> float:
        """What the processor time of a request would allow, if the load were never the limit."""
        return 1e6 / self.median(MANY, "cpu_us")

    @property
    def failed(self) -> int:
        return sum(run.failed for runs in self.runs.values() for run in runs)


@dataclass(frozen=True)
class Plan:
    """How long and how often, and the folder of all files."""

    folder: Path
    rounds: int
    seconds: int


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


def rates_table(measured: Mapping[str, Measured]) -> list[str]:
    """Requests per second at 32 connections, and what they took of the core."""
    head = (
        f"{'':22}{'median/s':>10}{'best/s':>10}{'CPU %':>7}{'CPU us':>8}{'full core/s':>13}"
        f"{'p50 ms':>9}"
    )
    lines = [head]
    for name, peer in measured.items():
        lines.append(
            f"{name:22}{peer.median(MANY, 'rate'):10,.0f}{peer.best_rate(MANY):10,.0f}"
            f"{peer.median(MANY, 'cpu_percent'):7.0f}{peer.median(MANY, 'cpu_us'):8.0f}"
            f"{peer.full_core_rate:13,.0f}{peer.median(MANY, 'p50_ms'):9.2f}"
            + (f"   {peer.failed} failed" if peer.failed else "")
        )
    return lines


def ratios_table(
    measured: Mapping[str, Measured], names: Iterable[str], aims: Mapping[str, float]
) -> list[str]:
    """Ratios to the peers that have an aim; behind each the same of full cores."""
    beside = [name for name in aims if name in measured]
    lines = [f"{'':22}" + "".join(f"{f'/ {name}':>23}" for name in beside)]
    for name in names:
        if name not in measured:
            continue
        line = f"{name:22}"
        for other in beside:
            mine, theirs = measured[name], measured[other]
            rates = mine.median(MANY, "rate") / theirs.median(MANY, "rate")
            cores = mine.full_core_rate / theirs.full_core_rate
            line += f"{f'{rates:.3f} ({cores:.3f})':>23}"
        lines.append(line)
    return [*lines, f"{'aim: at least':22}" + "".join(f"{aims[name]:>23}" for name in beside)]


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
        f"median of {len(fsyncs)}); aim: p50 added at most 0.5 ms + two fsyncs = "
        f"{0.5 + 2 * fsync:.3f} ms"
    )
    return lines
