"""A teacher at staff's pages, without a browser: what is sent is what a form of the page has."""

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from proxies import RunningProxy

from swsllm_nb.proxy.auth import hash_initial_password
from swsllm_nb.proxy.work import Work, ask

PASSWORD = "chalk and cheese 7"


def add_teacher(proxy: RunningProxy, name: str) -> None:
    """A teacher who has chosen a password already."""

    def work() -> Work[None]:
        yield ask(
            "INSERT INTO staff (name, password_hash, password_is_initial, created_at) "
            "VALUES ($1, $2, 0, utc_now())",
            name, hash_initial_password(PASSWORD),
        )  # fmt: skip

    proxy.write(work)


@dataclass
class Desk:
    """A signed-in teacher; each answer is remembered, so that the next form knows its token."""

    proxy: RunningProxy
    language: str = "en"
    session: requests.Session = field(default_factory=requests.Session)
    text: str = ""

    def get(self, path: str, **query: str) -> requests.Response:
        return self._keep(self.session.get(self._url(path), params=query, timeout=30))

    def post(self, path: str, files: Any = None, **fields: Any) -> requests.Response:
        form = fields if "csrf" in fields else {"csrf": self.hidden("csrf"), **fields}
        parts = urlsplit(self.proxy.base_url)
        origin = {"Origin": f"{parts.scheme}://{parts.netloc}"}
        answer = self.session.post(
            self._url(path), data=form, files=files, headers=origin, timeout=60
        )
        return self._keep(answer)

    def sign_in(self, name: str) -> "Desk":
        self.session.headers["Accept-Language"] = self.language
        self.get("/staff/sign-in")
        answer = self.post("/staff/sign-in", name=name, password=PASSWORD)
        assert answer.ok, self.text
        assert answer.url.endswith("/staff"), self.text
        return self

    def hidden(self, name: str) -> str:
        """What a hidden field of the page that is shown says."""
        found = re.search(rf'name="{re.escape(name)}" value="([^"]*)"', self.text)
        assert found, f"no field {name} in {self.text[:2000]}"
        return unescape(found.group(1))

    def _url(self, path: str) -> str:
        return urljoin(f"{self.proxy.base_url}/", path.lstrip("/"))

    def _keep(self, answer: requests.Response) -> requests.Response:
        if answer.headers.get("content-type", "").startswith("text/html"):
            self.text = answer.text
        return answer
