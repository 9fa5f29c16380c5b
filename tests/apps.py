"""The proxy's application in the test's own process, with one account over one upstream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from swsllm_nb.proxy.app import create_app
from swsllm_nb.proxy.asgi import App
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.store import Store, database_at
from swsllm_nb.proxy.upstream import HttpUpstream
from swsllm_nb.proxy.upstreams import Upstreams

READ_SECONDS = 0.3
SECRET = Secret.of_text("1:" + "s" * 40)


@dataclass(frozen=True)
class Course:
    """An application with the one key that it admits."""

    app: App
    key: str
    store: Store
    password: str

    def client(self) -> httpx2.AsyncClient:
        """A client with that key, without a socket in between."""
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app),
            base_url="http://proxy",
            headers={"authorization": f"Bearer {self.key}"},
        )


@asynccontextmanager
async def course(folder: Path, base_url: str, **options: Any) -> AsyncIterator[Course]:
    """A course in a folder over the upstream at a base URL; ``options`` go to ``create_app``."""
    upstream = HttpUpstream(base_url, "sk-upstream", read_timeout_seconds=READ_SECONDS)
    async with upstream, Store(database_at(folder, None)) as store:
        made = await Office(store, SECRET, "a test").add_account("ada", "5.00")
        told = {"offer": Offer(ages=False), **options}
        app = create_app(store=store, upstreams=Upstreams((upstream,)), secret=SECRET, **told)
        yield Course(app, made.key, store, made.password)
