"""A course's page in a real Chromium, through a real process."""

import json
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from proxies import RunningProxy

from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.settings import read_secret

Result = TypeVar("Result")

WAIT_MILLISECONDS = 30_000
CHOSEN = "correct horse battery"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
WORST = ("serious", "critical")


@dataclass(frozen=True)
class CoursePage:
    """One tab, and the proxy whose page it shows; paths are those under the prefix."""

    page: Page
    proxy: RunningProxy

    def open(self, path: str) -> None:
        self.page.goto(f"{self.proxy.base_url}{path}")

    def sign_in(self, name: str, password: str, area: str = "") -> None:
        self.open(f"{area}/sign-in")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("main button")

    def settle_in(self, name: str, password: str, area: str = "") -> None:
        """Sign in for the first time, and choose a password."""
        self.sign_in(name, password, area)
        self.page.fill("#password", password)
        self.page.fill("#new_password", CHOSEN)
        self.page.fill("#new_password_again", CHOSEN)
        self.page.click("main button")

    @property
    def weight(self) -> int:
        """Bytes of the page and of all that it loads."""
        self.page.wait_for_load_state("load")
        weight: int = self.page.evaluate(
            """() => ["navigation", "resource"]
                .flatMap((kind) => performance.getEntriesByType(kind))
                .reduce((sum, entry) => sum + entry.decodedBodySize, 0)"""
        )
        return weight

    @property
    def overhang(self) -> int:
        """Pixels by which the page is wider than its window."""
        wide: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wide

    def barriers(self) -> list[str]:
        """What axe finds that keeps people out, each with the place where it is."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {one['help']}: {json.dumps([node['target'] for node in one['nodes']])}"
            for one in found
            if one["impact"] in WORST
        ]


@contextmanager
def course_page(
    browser: Browser, proxy: RunningProxy, *, language: str = "en", **options: Any
) -> Iterator[CoursePage]:
    """A fresh browser profile; an error or a refused script on its console fails the test."""
    told = {"viewport": DESKTOP, "locale": {"en": "en-GB", "de": "de-DE"}[language], **options}
    with browser.new_context(**told) as context:
        context.set_default_timeout(WAIT_MILLISECONDS)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda line: complaints.append(line.text) if "Refused" in line.text else None,
        )
        yield CoursePage(page, proxy)
        assert complaints == []


def office_act(proxy: RunningProxy, act: Callable[[Office], Coroutine[Any, Any, Result]]) -> Result:
    """What staff do meanwhile, in a thread: Chromium's event loop runs in this one."""
    return aside(
        lambda: proxy.ask(lambda store: act(Office(store, read_secret(proxy.folder, {}), "staff")))
    )


def aside(work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()
