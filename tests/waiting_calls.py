"""Calls that wait at the upstream's gates, each with a client in a thread of its own."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests
from billing import BillingUpstream
from proxies import RunningProxy
from race import Call

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Heard:
    """What a client was told; without a status it was told nothing, or was cut off."""

    status: int | None
    body: bytes
    request_id: str | None

    @property
    def done(self) -> bool:
        return self.body.endswith(b"data: [DONE]\n\n")


@dataclass
class Clients:
    """Each client asks once. ``tags`` names the calls, in the order in which they were begun."""

    key: str
    prefix: str
    pool: ThreadPoolExecutor
    tags: list[str] = field(default_factory=list)

    def call(self, proxy: RunningProxy, name: str, padding: str = "") -> Future[Heard]:
        """Begin a call that ends so; its tag is the last of ``tags``."""
        number = len(self.tags)
        self.tags.append(f"{self.prefix}-{number:04}")
        asked = Call(self.tags[-1], name, cap=300 + number, padding=padding)
        return self.pool.submit(_ask, proxy, self.key, asked)

    def at_gate(self, proxy: RunningProxy, upstream: BillingUpstream, name: str) -> Future[Heard]:
        """Begin a call that waits, and wait until it does."""
        heard = self.call(proxy, name)
        upstream.wait_at_gate(self.tags[-1])
        return heard

    def open_gates(self, upstream: BillingUpstream) -> None:
        for tag in self.tags:
            upstream.open_gate(tag)


@contextmanager
def clients_of(upstream: BillingUpstream, key: str, prefix: str) -> Iterator[Clients]:
    """Clients whose calls, whatever becomes of the test, do not wait for ever."""
    with ThreadPoolExecutor(40) as pool:
        clients = Clients(key, prefix, pool)
        try:
            yield clients
        finally:
            clients.open_gates(upstream)


def _ask(proxy: RunningProxy, key: str, call: Call) -> Heard:
    body, request_id, status = b"", None, None
    try:
        with requests.post(
            f"{proxy.base_url}/chat/completions",
            json=call.body,
            headers={"authorization": f"Bearer {key}"},
            timeout=PATIENCE_SECONDS,
            stream=True,
        ) as answer:
            request_id = answer.headers.get("x-request-id")
            for chunk in answer.iter_content(None):
                body += chunk
            status = answer.status_code
    except requests.RequestException:
        pass
    return Heard(status, body, request_id)
