"""The student's page as students meet it: in Chromium, through a proxy process."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from secrets import token_urlsafe
from typing import Any

import pytest
from browser.rig import chromium
from browser.site import CHOSEN, DESKTOP, PHONE, CoursePage, aside, course_page, office_act
from playwright.sync_api import Browser, expect
from proxies import PREFIX, RunningProxy, running_proxy
from tools import find

from swsllm_nb.money import usd_text
from swsllm_nb.proxy import own
from swsllm_nb.proxy.auth import hash_initial_password
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.page import sessions
from swsllm_nb.proxy.settings import read_secret
from swsllm_nb.proxy.work import Work, ask

pytestmark = pytest.mark.browser

QUESTION = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is a token?"}]}
LARGEST_BYTES = 60_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    find("chromium", "chromium-browser")
    with running_proxy(tmp_path_factory.mktemp("site")) as proxy:
        office_act(
            proxy,
            lambda office: office.set_course(name="Sprachmodelle", contact="lehre@uni.example"),
        )
        yield proxy


@pytest.fixture(scope="module")
def browser(site: RunningProxy) -> Iterator[Browser]:
    with chromium() as running:
        yield running


class Student:
    """An account with its first password and key."""

    def __init__(self, site: RunningProxy, name: str, budget_usd: str = "5.00") -> None:
        made = office_act(site, lambda office: office.add_account(name, budget_usd))
        self.name, self.password, self.key = name, made.password, made.key
        self.id = made.account.id
        self.site = site

    def enter(self, tab: CoursePage) -> None:
        """Be signed in, with a password of one's own, as after ``settle_in``."""
        secret, token = read_secret(self.site.folder, {}), token_urlsafe(32)

        def work() -> Work[None]:
            password_hash = hash_initial_password(CHOSEN)
            yield from own.set_password(self.id, password_hash, initial=False)
            token_hash = secret.keyed_hash("session", token)
            yield from sessions.begin("student", self.id, token_hash, None)

        aside(lambda: self.site.write(work))
        cookie = {"name": "swsllm-session", "value": token, "domain": "127.0.0.1", "path": PREFIX}
        tab.page.context.add_cookies([cookie])  # type: ignore[list-item]
        tab.open("/")

    def call(self, key: str | None = None) -> int:
        """Ask a question; gives the status of the answer."""
        request = urllib.request.Request(
            f"{self.site.base_url}/chat/completions",
            json.dumps(QUESTION).encode(),
            {"authorization": f"Bearer {key or self.key}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def calls(self) -> list[dict[str, Any]]:
        return aside(lambda: self.site.calls(self.name))

    def leave_unconfirmed(self) -> None:
        """As if the connection to the model had been lost during the last call."""

        def work() -> Work[None]:
            yield ask(
                "UPDATE ledger SET state = 'unconfirmed', prompt_tokens = NULL, "
                "completion_tokens = NULL, reason = $2 WHERE id = (SELECT max(id) FROM ledger "
                "WHERE account_id = $1 AND kind = 'call')",
                self.id,
                Doubt.BROKEN_OFF.value,
            )

        aside(lambda: self.site.write(work))


def test_a_student_settles_in_and_sees_the_budget_in_the_browsers_language_and_the_other(
    browser: Browser, site: RunningProxy
) -> None:
    ada = Student(site, "ada")
    ada.call()
    with course_page(browser, site, language="de") as tab:
        tab.settle_in("ada", ada.password)
        expect(tab.page.get_by_role("heading", name="Mein Budget")).to_be_visible()
        expect(tab.page.get_by_role("status").first).to_contain_text("Ihr neues Passwort gilt")
        figures = tab.page.locator(".figures").inner_text()
        assert "übrig von $5.00" in figures
        assert "$4.99" in figures
        assert "gerade zurückgehalten" in figures
        tab.page.get_by_role("button", name="English").click()
        expect(tab.page.get_by_role("heading", name="My budget")).to_be_visible()
        assert tab.page.locator("html").get_attribute("lang") == "en"
        tab.page.reload()
        expect(tab.page.get_by_role("heading", name="My budget")).to_be_visible()
        expect(tab.page.locator("body")).to_contain_text("Practice model")
    accounts = office_act(site, lambda office: office.accounts())
    assert {one.name: one.language for one in accounts}["ada"] == "en"


def test_receipts_say_tokens_times_price_to_the_last_digit_and_leave_as_csv(
    browser: Browser, site: RunningProxy
) -> None:
    bea = Student(site, "bea")
    bea.call()
    bea.call()
    bea.leave_unconfirmed()
    first, second = bea.calls()
    with course_page(browser, site) as tab:
        bea.enter(tab)
        rows = tab.page.locator(".receipts tbody tr")
        assert rows.count() == 3
        charged = rows.nth(1).inner_text()
        assert f"{first['prompt_tokens']} in × $0.15/1M" in charged
        assert f"{first['completion_tokens']} out × $0.60/1M" in charged
        assert f"${usd_text(first['amount_pico'])}" in charged
        unconfirmed = tab.page.locator("section", has=tab.page.locator("#unconfirmed"))
        expect(unconfirmed).to_contain_text(second["request_id"])
        expect(unconfirmed).to_contain_text("lehre@uni.example")
        expect(unconfirmed).to_contain_text("broke off, or was silent, before the answer")
        tab.page.select_option("#status", "unconfirmed")
        tab.page.get_by_role("button", name="Show", exact=True).click()
        assert tab.page.locator(".receipts tbody tr").count() == 1
        with tab.page.expect_download() as download:
            tab.page.get_by_role("link", name="All of these as CSV").click()
        lines = download.value.path().read_text("utf-8-sig").splitlines()
        assert len(lines) == 2
        assert second["request_id"] in lines[1]
        assert usd_text(second["amount_pico"]) in lines[1]
        tab.page.get_by_text("The same as a table").click()
        expect(tab.page.locator("details table").first).to_contain_text("$5.00")


def test_a_key_is_shown_copied_and_replaced_each_for_the_password(
    browser: Browser, site: RunningProxy
) -> None:
    cem = Student(site, "cem")
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    with course_page(browser, site, **allowed) as tab:
        page = tab.page
        cem.enter(tab)
        assert cem.key not in page.content()
        page.fill("#show-password", CHOSEN)
        page.get_by_role("button", name="Show the key").click()
        expect(page.locator("#key")).to_have_text(cem.key)
        page.locator("[data-copy=key]").click()
        expect(page.locator("[data-copy=key]")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == cem.key
        assert f"SWSLLM_API_KEY={cem.key}" in page.locator("#env-file").inner_text()
        page.get_by_role("link", name="Back to my budget").click()
        page.get_by_text("Make a new key").click()
        expect(page.get_by_text("stops working at once")).to_be_visible()
        page.fill("#new-password", CHOSEN)
        page.get_by_role("button", name="Replace my key").click()
        expect(page.get_by_role("status")).to_contain_text("your new key")
        new = page.locator("#key").inner_text()
        assert (cem.call(cem.key), cem.call(new)) == (401, 200)
        page.once("dialog", lambda dialog: dialog.accept())
        page.reload()
        expect(page.get_by_role("status")).to_contain_text("replaced already")
        assert page.locator("#key").inner_text() == new
        assert cem.call(new) == 200


def test_the_page_works_by_keyboard_alone_and_shows_where_one_is(
    browser: Browser, site: RunningProxy
) -> None:
    dora = Student(site, "dora")
    with course_page(browser, site) as tab:
        keys = tab.page.keyboard
        tab.open("/sign-in")
        expect(tab.page.locator("#name")).to_be_focused()
        for text in ("dora", dora.password):
            keys.type(text)
            keys.press("Tab")
        keys.press("Enter")
        expect(tab.page.locator("#new_password")).to_be_visible()
        keys.press("Tab")
        expect(tab.page.get_by_role("link", name="Skip to the content")).to_be_focused()
        keys.press("Enter")
        keys.press("Tab")
        for text in (dora.password, CHOSEN, CHOSEN):
            keys.type(text)
            keys.press("Tab")
        keys.press("Enter")
        expect(tab.page.get_by_role("heading", name="My budget")).to_be_visible()
        seen = set()
        for _ in range(60):
            keys.press("Tab")
            name, width = tab.page.evaluate(
                "[document.activeElement.id || document.activeElement.textContent.trim(),"
                " parseFloat(getComputedStyle(document.activeElement).outlineWidth)]"
            )
            seen.add(name)
            assert name == "" or width >= 2, name
        assert {"Sign out", "show-password", "Make a new key", "status", "Copy"} <= seen


def test_everything_works_without_javascript(browser: Browser, site: RunningProxy) -> None:
    eve = Student(site, "eve")
    with course_page(browser, site, java_script_enabled=False) as tab:
        page = tab.page
        tab.settle_in("eve", eve.password)
        expect(page.locator("button.copy").first).to_be_hidden()
        page.get_by_role("button", name="Deutsch").click()
        page.fill("#show-password", CHOSEN)
        page.get_by_role("button", name="API-Key zeigen").click()
        expect(page.locator("#key")).to_have_text(eve.key)
        page.get_by_role("link", name="Zurück zu meinem Budget").click()
        page.get_by_text("Neuen API-Key erzeugen").click()
        page.fill("#new-password", CHOSEN)
        page.get_by_role("button", name="Meinen API-Key ersetzen").click()
        assert page.locator("#key").inner_text() != eve.key
        page.get_by_role("button", name="Abmelden").click()
        expect(page.get_by_role("status")).to_have_text("Sie sind abgemeldet.")


PATHS = ["/sign-in", "/", "/password", "/models-and-prices", "/your-data", "/staff/sign-in"]


@pytest.mark.parametrize(
    ("size", "scheme", "language"), [(PHONE, "dark", "de"), (DESKTOP, "light", "en")]
)
def test_every_page_fits_its_window_weighs_little_and_keeps_nobody_out(
    browser: Browser,
    site: RunningProxy,
    size: dict[str, int],
    scheme: str,
    language: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    student = Student(site, f"fay-{size['width']}-{scheme}")
    student.call()
    student.leave_unconfirmed()
    shots = tmp_path_factory.getbasetemp()
    options = {"viewport": size, "color_scheme": scheme, "language": language}
    with course_page(browser, site, **options) as tab:
        for path in PATHS:
            if path == "/":
                student.enter(tab)
            tab.open(path)
            assert tab.overhang == 0, path
            assert tab.barriers() == [], path
            name = f"{path.replace('/', '_')}-{size['width']}-{scheme}.png"
            tab.page.screenshot(path=shots / name, full_page=True)
            assert 10_000 < tab.weight <= LARGEST_BYTES, path


def test_a_session_that_ended_loses_nothing_and_says_so_in_a_sentence(
    browser: Browser, site: RunningProxy
) -> None:
    gus = Student(site, "gus")
    gus.call()

    def sessions_end() -> Work[None]:
        yield ask("DELETE FROM sessions WHERE account_id = $1", gus.id)

    with course_page(browser, site) as tab:
        gus.enter(tab)
        tab.page.select_option("#status", "settled")
        aside(lambda: site.write(sessions_end))
        tab.page.get_by_role("button", name="Show", exact=True).click()
        expect(tab.page.get_by_role("status")).to_contain_text("Your session has ended")
        tab.page.fill("#name", "gus")
        tab.page.fill("#password", CHOSEN)
        tab.page.keyboard.press("Enter")
        expect(tab.page.locator("#status")).to_have_value("settled")
        aside(lambda: site.write(sessions_end))
        tab.page.get_by_role("button", name="Sign out").click()
        expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_two_tabs_of_which_one_signed_out_and_in_again_lose_nothing(
    browser: Browser, site: RunningProxy
) -> None:
    hal = Student(site, "hal")
    with course_page(browser, site) as tab:
        hal.enter(tab)
        other = CoursePage(tab.page.context.new_page(), site)
        other.open("/")
        other.page.get_by_role("button", name="Sign out").click()
        expect(other.page.get_by_role("status")).to_have_text("You are signed out.")
        other.page.go_back()
        expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()
        tab.page.fill("#show-password", CHOSEN)
        tab.page.get_by_role("button", name="Show the key").click()
        expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()
        other.sign_in("hal", CHOSEN)
        expect(other.page.get_by_role("heading", name="My budget")).to_be_visible()
        tab.open("/")
        other.page.get_by_role("button", name="Sign out").click()
        other.sign_in("hal", CHOSEN)
        tab.page.fill("#show-password", CHOSEN)
        tab.page.get_by_role("button", name="Show the key").click()
        expect(tab.page.get_by_role("status")).to_contain_text("from an earlier session")
        tab.page.fill("#show-password", CHOSEN)
        tab.page.get_by_role("button", name="Show the key").click()
        expect(tab.page.locator("#key")).to_have_text(hal.key)
        tab.page.go_back()
        expect(tab.page.get_by_role("heading", name="My budget")).to_be_visible()


def test_when_the_budget_is_gone_the_page_works_and_says_whom_to_ask(
    browser: Browser, site: RunningProxy
) -> None:
    ida = Student(site, "ida", "0.0001")
    assert ida.call() == 429
    with course_page(browser, site, language="de") as tab:
        ida.enter(tab)
        expect(tab.page.locator("main")).to_contain_text("Ihr Budget ist aufgebraucht.")
        expect(tab.page.locator(".care").first).to_contain_text("lehre@uni.example")
        expect(tab.page.get_by_role("button", name="API-Key zeigen")).to_be_visible()


def test_models_data_and_snippets_name_this_very_proxy(
    browser: Browser, site: RunningProxy
) -> None:
    jo = Student(site, "jo")
    with course_page(browser, site) as tab:
        tab.open("/models-and-prices")
        table = tab.page.locator(".models").inner_text()
        for text in ("gpt-4o-mini-2024-07-18", "$0.15", "$0.60", "16\u202f384", "2027-01-14"):
            assert text in table
        tab.open("/your-data")
        expect(tab.page.locator("main")).to_contain_text("nothing leaves it")
        jo.enter(tab)
        base_url = f"{site.base_url}/"
        for name in ("install-unix", "install-windows", "install-hub", "env-file"):
            assert base_url in tab.page.locator(f"#{name}").inner_text()
        for name in ("openai", "requests", "curl-unix", "curl-powershell"):
            assert base_url in str(tab.page.locator(f"#{name}").text_content())
        assert PREFIX in base_url
