"""A browser without a window: it keeps cookies, sends forms with their tokens, and says so."""

import asyncio
import html
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
from apps import SECRET, Course, course

from swsllm_nb.proxy.office import Office

HOST = "127.0.0.1:8000"
PREFIX = "/llm"
CHOSEN = "correct horse battery"


class Visitor:
    """Somebody at the page of a course; paths are those under the prefix."""

    def __init__(
        self,
        served: Course,
        *,
        origin: str = f"http://{HOST}",
        address: str = "127.0.0.1",
        prefix: str = PREFIX,
        **headers: str,
    ) -> None:
        transport = httpx2.ASGITransport(app=served.app, client=(address, 1234))
        self.client = httpx2.AsyncClient(
            transport=transport,
            base_url=origin + prefix,
            headers={"accept-language": "en"} | headers,
        )
        self.origin = origin
        self.page = ""

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return self._seen(await self.client.get(path, **options))

    async def send(
        self, path: str, *, headers: dict[str, str] | None = None, **fields: str
    ) -> httpx2.Response:
        """Send a form as a browser does: with its token, and with what it says of itself."""
        named = {"origin": self.origin, "sec-fetch-site": "same-origin"}
        told = {"csrf": self.token} | fields
        return self._seen(
            await self.client.post(path, data=told, headers=named if headers is None else headers)
        )

    async def sign_in(self, name: str, password: str, area: str = "") -> httpx2.Response:
        await self.get(f"{area}/sign-in")
        return await self.send(f"{area}/sign-in", name=name, password=password)

    async def settle_in(self, name: str, password: str, area: str = "") -> httpx2.Response:
        """Sign in for the first time, and choose a password."""
        await self.sign_in(name, password, area)
        await self.get(f"{area}/password")
        return await self.send(
            f"{area}/password",
            password=password,
            new_password=CHOSEN,
            new_password_again=CHOSEN,
        )

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self.page)
        return found[1] if found else ""

    @property
    def told(self) -> str:
        """What the page says of what was done, or why not."""
        return " ".join(
            html.unescape(text)
            for text in re.findall(r'<p class="(?:notice|trouble)"[^>]*>([^<]*)</p>', self.page)
        )

    def cookie(self, name: str) -> str | None:
        return self.client.cookies.get(name)

    def _seen(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.headers.get("content-type", "").startswith("text/html"):
            self.page = answer.text
        return answer


Act = Callable[[Course], Awaitable[None]]


def visiting(folder: Path, act: Act, **options: Any) -> None:
    """Let a test act on a course that has the student ada and the teacher lehr."""

    async def running() -> None:
        told = {"prefix": PREFIX, **options}
        async with course(folder, "http://127.0.0.1:9", **told) as served:
            await act(served)

    asyncio.run(running())


async def teacher(served: Course, name: str = "lehr") -> str:
    """A member of staff; gives the first password."""
    made = await Office(served.store, SECRET, "a test").add_teacher(name)
    return made.password
