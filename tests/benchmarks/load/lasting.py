"""How ours starts, what memory it takes, and whether a long ledger makes a call slower."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from load.ledgers import fill_postgres, fill_sqlite
from load.peers import Ours, Peer
from load.plain import post
from load.postgres import Server
from load.processes import free_port, resident_mib, started, swsllm
from load.rounds import MANY, Measured, Plan, measure

STARTS = 5
MILLION = 1_000_000
SLICE_SECONDS = 5


def start_ms(folder: Path, upstream: Peer, ours: Ours) -> float:
    """From the start of the process to the first 200 of /readyz, median of five."""
    folder.mkdir()
    ours.add_accounts(folder, 1)
    taken = []
    for _ in range(STARTS):
        port = free_port()
        begin = time.perf_counter()
        with started(ours.command(folder, port, upstream), ours.core, folder / "out") as running:
            running.wait_until_ready(port, "/readyz")
            taken.append(time.perf_counter() - begin)
    return statistics.median(taken) * 1000


def idle_mib(peer: Peer) -> float:
    peer.running.wait_until_quiet()
    return resident_mib(peer.running.pid)


def growth(peer: Peer, plan: Plan) -> Iterator[str]:
    """Resident memory every 100,000 requests, up to a million."""
    sent, shown = 0, 0
    yield f"{'requests':>12}{'MiB':>9}{'per second':>12}"
    yield f"{0:12,}{idle_mib(peer):9.1f}"
    while sent < MILLION:
        run = post(peer.target, MANY, SLICE_SECONDS, plan.folder)
        sent += run.requests
        if sent // 100_000 > shown:
            shown = sent // 100_000
            yield f"{sent:12,}{resident_mib(peer.running.pid):9.1f}{run.rate:12,.0f}"


def long_ledger(plan: Plan, upstream: Peer, server: Server | None) -> list[str]:
    """An empty ledger beside one of a million rows, on SQLite or on a PostgreSQL server."""
    peers: list[Peer] = []
    kind = "PostgreSQL" if server else "SQLite"
    with ExitStack() as stack:
        for name in ("empty", "million"):
            folder = plan.folder / f"{kind}-{name}"
            database = server.new_database(f"ledger_{name}") if server else None
            ours = Ours(f"{kind}, {name}", database)
            peer = stack.enter_context(ours.serving(folder, upstream))
            # The rows are copies of a call that this program really wrote.
            post(peer.target, 1, 1, plan.folder)
            peer.running.wait_until_quiet()
            if name == "million" and server:
                fill_postgres(server, f"ledger_{name}", MILLION)
            elif name == "million":
                fill_sqlite(folder, MILLION)
            # Raises where the made books do not add up.
            swsllm("ledger", "check", *ours.place(folder))
            peers.append(peer)
        measured, _ = measure(peers, plan)
    return ledger_table(measured)


def ledger_table(measured: dict[str, Measured]) -> list[str]:
    empty, _ = measured.values()
    lines = [f"{'':22}{'us/call, 32':>13}{'of empty':>10}{'p50 ms, 1':>11}{'of empty':>10}"]
    for name, peer in measured.items():
        many = 1e6 / peer.median(MANY, "rate")
        ratio = many * empty.median(MANY, "rate") / 1e6
        one = peer.median(1, "p50_ms")
        lines.append(
            f"{name:22}{many:13.0f}{ratio:10.3f}{one:11.3f}{one / empty.median(1, 'p50_ms'):10.3f}"
            + (f"   {peer.failed} failed" if peer.failed else "")
        )
    return [*lines, "aim: at most 1.2 of empty"]
