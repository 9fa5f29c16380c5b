"""Plain calls by wrk: one fixed body, posted on 1 or 32 kept connections."""

import json
import statistics
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from load.processes import LOAD_CORE, cpu_seconds, environment

BODY = json.dumps(
    {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "You answer in one short paragraph."},
            {"role": "user", "content": "What is a token, and why do models count in tokens?"},
        ],
        "temperature": 0.7,
        "max_tokens": 120,
    }
)

LUA = """
wrk.method = "POST"
wrk.body = os.getenv("BENCHMARK_BODY")
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer " .. os.getenv("BENCHMARK_KEY")
done = function(summary, latency)
  local e = summary.errors
  print(string.format("done %d %d %d %d %d", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Run:
    """What one run of wrk saw, and the processor time of the process under test."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return (self.requests - self.failed) / self.seconds

    @property
    def cpu_percent(self) -> float:
        return 100 * self.cpu_seconds / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time per request, in microseconds: the figure that noise moves least."""
        return 1e6 * self.cpu_seconds / max(self.requests, 1)


@dataclass(frozen=True)
class Target:
    """Where to post, with which key; ``pid`` is the process under test."""

    name: str
    port: int
    key: str
    pid: int


def post(target: Target, connections: int, seconds: int, folder: Path) -> Run:
    script = folder / "post.lua"
    script.write_text(LUA)
    before = cpu_seconds(target.pid)
    ran = subprocess.run(
        [
            *("taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", "--timeout", "10s"),
            *(f"-d{seconds}s", "-s", str(script)),
            f"http://127.0.0.1:{target.port}/v1/chat/completions",
        ],
        capture_output=True, text=True, check=True,
        env=environment(BENCHMARK_BODY=BODY, BENCHMARK_KEY=target.key),
    )  # fmt: skip
    used = cpu_seconds(target.pid) - before
    last = ran.stdout.strip().splitlines()[-1].split()
    requests, microseconds, p50, p99, failed = map(int, last[1:])
    return Run(requests, microseconds / 1e6, p50 / 1000, p99 / 1000, failed, used)


def median(runs: Iterable[Run], figure: str) -> float:
    return float(statistics.median(getattr(run, figure) for run in runs))
