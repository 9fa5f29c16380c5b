"""The proxy's speed beside nginx, LiteLLM's proxy and itself without accounting, in one run.

    python tests/benchmarks/proxy.py --litellm /path/to/venv/bin/litellm --million

Needs Linux with two cores, taskset, wrk and nginx (Debian: apt-get install wrk nginx), for the
parts on PostgreSQL its server (postgresql), for --profile py-spy. LiteLLM goes into a venv of its
own: ``python -m venv litellm && litellm/bin/pip install 'litellm[proxy]' httptools``. What is not
there is left out, and said. Nothing is asserted; the aims are those of the issue.

Every process under test runs on core 0 (PostgreSQL with two workers: on both), upstreams,
PostgreSQL and the load on core 1. Peers take turns in every round, and medians over the rounds
are printed. The money of ours is durable (SQLite synchronous=FULL, PostgreSQL fsync), and what it
logs goes to a file on the same disk. One account pays for all plain calls, eight for the streams.

Parts, each of which --without leaves out:

plain     wrk posts one chat body on 32 connections, then on 1, to an upstream that answers at
          once (nginx, ``return 200``). "CPU us" is the processor time of the process under test
          per request: noise moves it least. CPU % below 100 at 32 connections means that
          core 1 was the limit, not the peer. "Added" is the median less that of the upstream
          direct, which answers on the load's own core: the least favourable comparison.
          "No accounting" is the same program that decides holds on numbers in memory and writes
          nothing. Memory is that of the largest process before and after all rounds.
streams   200 streams of 400 chunks, each one chunk per 5 ms (40,000/s offered), the next begins
          when one ends: the share that arrives, and when the first chunk does; the same with one
          stream at a time. Direct is what upstream and client can do without a proxy.
start     from exec to the first 200 of /readyz, median of five.
ledger    calls on a ledger of 1,000,000 rows against an empty one, on SQLite and PostgreSQL.
postgres  ours on PostgreSQL in all of the above.

--million posts 1,000,000 requests and prints the resident memory on the way. --profile shows
where the microseconds of a request go, and measures nothing else.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from load import lasting, rounds, streaming
from load.machine import Disturbance, describe
from load.peers import UNACCOUNTED, Ours, Peer, litellm, nginx, paced_upstream, plain_upstream
from load.postgres import Server, postgres
from load.processes import LOAD_CORE, NotStarted, resident_mib
from load.profiled import profile
from load.rounds import Plan

PARTS = ("plain", "streams", "start", "ledger", "postgres")
BOTH_CORES = "0,1"
STREAM_ACCOUNTS = 8
AIMS = {"nginx": 0.06, "LiteLLM": 40, UNACCOUNTED.name: 0.6}


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


class Benchmark:
    """One run: what it was told, and the processes that live as long as it does."""

    def __init__(self, told: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
        self._told = told
        self._stack = stack
        self._folders = 0
        self.plan = Plan(folder, told.rounds, told.seconds)
        self.server = None if "postgres" in told.without else self._postgres()
        self.upstream = stack.enter_context(plain_upstream(self.folder()))

    def folder(self) -> Path:
        self._folders += 1
        return self.plan.folder / str(self._folders)

    def _postgres(self) -> Server | None:
        try:
            return self._stack.enter_context(postgres(self.folder()))
        except NotStarted as error:
            say(f"left out: PostgreSQL ({error})")
            return None

    def ours(self) -> list[Ours]:
        """All ways to serve ours that are measured."""
        ways = [Ours(), UNACCOUNTED]
        if self.server:
            for workers, core in ((1, Ours.core), (2, BOTH_CORES)):
                database = self.server.new_database(f"ours_{self._folders}_{workers}")
                ways.append(Ours(f"ours, PostgreSQL x {workers}", database, workers, core))
        return ways

    @contextmanager
    def peers(self, upstream: Peer, accounts: int) -> Iterator[list[Peer]]:
        """The upstream first, then all that can be started."""
        with ExitStack() as stack:
            found = [upstream, stack.enter_context(nginx(self.folder(), upstream))]

            def try_out(name: str, peer: AbstractContextManager[Peer]) -> None:
                try:
                    found.append(stack.enter_context(peer))
                except NotStarted as error:
                    say(f"left out: {name} ({error})")

            for ours in self.ours():
                try_out(ours.name, ours.serving(self.folder(), upstream, accounts))
            if self._told.litellm:
                try_out("LiteLLM", litellm(self.folder(), upstream, self._told.litellm))
            yield found

    def plain(self) -> None:
        with self.peers(self.upstream, accounts=1) as peers:
            idle = {peer.name: lasting.idle_mib(peer) for peer in peers}
            measured, fsyncs = rounds.measure(peers, self.plan)
            say("\nPlain calls, 32 connections", *rounds.rates_table(measured))
            mine = [name for name in measured if name.startswith("ours")]
            say("\nRatios of medians (of full cores)", *rounds.ratios_table(measured, mine, AIMS))
            say("\nPlain calls, 1 connection", *rounds.latency_table(measured, fsyncs))
            say(
                "\nResident memory, MiB (aim: at most 190 after)", f"{'':22}{'idle':>8}{'after':>8}"
            )
            for peer in peers[1:]:
                after = resident_mib(peer.running.pid)
                say(f"{peer.name:22}{idle[peer.name]:8.1f}{after:8.1f}")

    def streams(self) -> None:
        with (
            paced_upstream(self.folder()) as upstream,
            self.peers(upstream, STREAM_ACCOUNTS) as peers,
        ):
            seen = streaming.measure(peers, self.plan)
            say("\nStreams, 200 of 200 chunks/s each", *streaming.table(seen))

    def start(self) -> None:
        taken = lasting.start_ms(self.folder(), self.upstream, Ours())
        say(f"\nStart to first healthy answer: {taken:.0f} ms (median of five; aim: at most 1000)")

    def ledger(self) -> None:
        for server in (None, self.server) if self.server else (None,):
            say("\nA ledger of 1,000,000 rows beside an empty one")
            try:
                say(*lasting.long_ledger(self.plan, self.upstream, server))
            except NotStarted as error:
                say(f"left out: {'PostgreSQL' if server else 'SQLite'} ({error})")

    def million(self) -> None:
        say("\nResident memory over 1,000,000 requests")
        with Ours().serving(self.folder(), self.upstream) as peer:
            for line in lasting.growth(peer, self.plan):
                say(line)

    def profile(self) -> None:
        with Ours().serving(self.folder(), self.upstream) as peer:
            say(*profile(peer, self.plan))

    def run(self) -> None:
        if self._told.profile:
            self.profile()
            return
        parts: dict[str, Callable[[], None]] = {
            "start": self.start,
            "plain": self.plain,
            "streams": self.streams,
            "ledger": self.ledger,
        }
        for name, part in parts.items():
            if name not in self._told.without:
                part()
        if self._told.million:
            self.million()


def arguments() -> argparse.Namespace:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5, help="of each run of the load")
    parser.add_argument("--without", nargs="+", choices=PARTS, default=[], metavar="PART")
    parser.add_argument("--litellm", type=Path, help="LiteLLM's program, in its own venv")
    parser.add_argument("--million", action="store_true", help="also 1,000,000 requests")
    parser.add_argument("--profile", action="store_true", help="only where the time of ours goes")
    parser.add_argument("--folder", type=Path, help="where files are written: the disk that counts")
    return parser.parse_args()


def main() -> None:
    told = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # The proxies alone have their core; taskset moves them there.
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    with (
        tempfile.TemporaryDirectory(dir=told.folder, prefix="swsllm-") as name,
        ExitStack() as all_,
    ):
        folder = Path(name)
        # A server that root must not be works in a folder of this one.
        folder.chmod(0o711)
        say(describe(folder, told.litellm))
        if not told.litellm:
            say("left out: LiteLLM (--litellm names its program)")
        say(f"{told.rounds} rounds of {told.seconds:g} s, interleaved; medians")
        disturbance = Disturbance()
        Benchmark(told, folder, all_).run()
        say(f"\n{disturbance.stolen_percent():.1f} % of the machine's time was stolen by its host")


if __name__ == "__main__":
    main()
