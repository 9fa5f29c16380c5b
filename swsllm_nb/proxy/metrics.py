"""What Prometheus is told, on a port of its own: counted per process, summed over all workers.

Nothing here names an account. Counts begin anew when the proxy does; the gauges are the course's
own figures, read from its database when they are asked for.
"""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, make_asgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.proxy.asgi import App, Receive, Scope, Send
from swsllm_nb.proxy.calllog import CallLine
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.work import Row, Work, ask

__all__ = ["SHARED_FOLDER", "Metrics"]

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which workers are told where they count together, before they start."""

_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """Counts calls by their lines (see ``calllog``), and answers on a socket of its own."""

    def __init__(self, store: Store, listening: socket.socket) -> None:
        self.listening = listening
        self._store = store
        self._course = _Course()
        own = CollectorRegistry()
        self._scraped = CollectorRegistry() if SHARED_FOLDER in os.environ else own
        if self._scraped is not own:
            MultiProcessCollector(self._scraped)  # type: ignore[no-untyped-call]
        self._scraped.register(self._course)
        self._calls = Counter(
            "swsllm_calls", "Calls by how they ended", ["model", "upstream", "state"], registry=own
        )
        self._refusals = Counter(
            "swsllm_refusals", "Requests that were refused unsent", ["code"], registry=own
        )
        self._tokens = Counter("swsllm_tokens", "Tokens used", ["model", "kind"], registry=own)
        self._cost = Counter("swsllm_cost_usd", "Dollars charged", ["model"], registry=own)
        self._breaches = Counter(
            "swsllm_breaches", "Answers that broke their bound or tier", ["kind"], registry=own
        )
        self._upstream_seconds = Histogram(
            "swsllm_upstream_seconds", "Until an upstream began to answer", ["upstream", "model"],
            buckets=_BUCKETS, registry=own,
        )  # fmt: skip
        self._call_seconds = Histogram(
            "swsllm_call_seconds", "Whole calls", ["model"], buckets=_BUCKETS, registry=own
        )
        # Looking them up by their labels costs more than counting.
        self._counters_of = cache(self._counters)

    def count(self, line: CallLine) -> None:
        if line.state is None:
            # Who left before an answer was refused nothing.
            if line.status is not None:
                self._refusals.labels(line.error).inc()
            return
        counters = self._counters_of(line.model, line.upstream, line.state)
        counters.calls.inc()
        counters.call_seconds.observe(line.seconds or 0)
        if line.upstream_seconds is not None:
            counters.upstream_seconds.observe(line.upstream_seconds)
        if line.cost_usd is not None:
            counters.cost.inc(float(line.cost_usd))
        if line.prompt_tokens:
            counters.prompt.inc(line.prompt_tokens)
        if line.completion_tokens:
            counters.completion.inc(line.completion_tokens)
        if line.breach is not None:
            self._breaches.labels(line.breach).inc()

    def _counters(self, model: str, upstream: str, state: str) -> "_Counters":
        return _Counters(
            calls=self._calls.labels(model, upstream, state),
            cost=self._cost.labels(model),
            prompt=self._tokens.labels(model, "prompt"),
            completion=self._tokens.labels(model, "completion"),
            upstream_seconds=self._upstream_seconds.labels(upstream, model),
            call_seconds=self._call_seconds.labels(model),
        )

    def beside(self, app: App) -> App:
        """An application that answers on its own socket's port, and lets ``app`` on any other."""
        port = self.listening.getsockname()[1]

        async def choose(scope: Scope, receive: Receive, send: Send) -> None:
            server = scope.get("server")
            asked = self._answer if server and server[1] == port else app
            await asked(scope, receive, send)

        return choose

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``/metrics``, and nothing else."""
        if scope["path"] != "/metrics":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"Only /metrics is here.\n"})
            return
        try:
            self._course.figures = await self._store.read(_figures)
        except StoreUnavailable:
            self._course.figures = None
        await make_asgi_app(self._scraped)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _Counters:
    """What counts the calls of one model that one upstream served and that ended in one state."""

    calls: Counter
    cost: Counter
    prompt: Counter
    completion: Counter
    upstream_seconds: Histogram
    call_seconds: Histogram


class _Course(Collector):
    """The figures of the course as they were last read; None where the database is away."""

    def __init__(self) -> None:
        self.figures: Row | None = None

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "swsllm_database_up", "Whether the database answers", value=self.figures is not None
        )
        for name, figure in (self.figures or {}).items():
            if name.endswith("_pico"):
                name, figure = name.replace("_pico", "_usd"), figure / PICO_PER_USD
            yield GaugeMetricFamily(f"swsllm_{name}", _MEANINGS[name], value=figure)


_MEANINGS: Final = {
    "accounts": "Accounts of the course",
    "budget_usd": "Dollars granted",
    "spend_usd": "Dollars charged, in all",
    "holds_open": "Calls that hold money now",
    "holds_open_usd": "Dollars held for calls in flight",
    "unconfirmed": "Calls charged without a known bill, and not given back",
    "unconfirmed_usd": "Dollars charged for these",
}


def _figures() -> Work[Row]:
    (sums,) = yield ask(
        "SELECT count(*) AS accounts, CAST(coalesce(sum(budget_pico), 0) AS BIGINT) AS budget_pico,"
        " CAST(coalesce(sum(spend_pico), 0) AS BIGINT) AS spend_pico,"
        " CAST(coalesce(sum(in_flight), 0) AS BIGINT) AS holds_open,"
        " CAST(coalesce(sum(reserved_pico), 0) AS BIGINT) AS holds_open_pico FROM accounts"
    )
    (unconfirmed,) = yield ask(
        "SELECT count(*) AS unconfirmed,"
        " CAST(coalesce(sum(amount_pico), 0) AS BIGINT) AS unconfirmed_pico FROM ledger l"
        " WHERE state = 'unconfirmed' AND NOT EXISTS"
        " (SELECT 1 FROM ledger a WHERE a.adjusts_id = l.id)"
    )
    return {**sums, **unconfirmed}
