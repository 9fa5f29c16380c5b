"""Staff's pages as teachers meet them: in Chromium, through a proxy process."""

import re
from collections.abc import Iterator

import pytest
from browser.rig import chromium
from browser.site import DESKTOP, PHONE, CoursePage, aside, course_page, office_act
from desk import PASSWORD, add_teacher
from playwright.sync_api import Browser, expect
from proxies import RunningProxy, running_proxy
from tools import find

pytestmark = pytest.mark.browser

TEACHER = "Ms Frizzle"
PAGES = (
    "/staff", "/staff/accounts", "/staff/accounts/1", "/staff/add", "/staff/roster",
    "/staff/models", "/staff/models/row?model=gpt-4o", "/staff/models/add", "/staff/course",
    "/staff/invoice", "/staff/trail", "/staff/team",
)  # fmt: skip
HOSTILE = "<img src=x onerror=alert(1)>"
ROSTER = f"Benutzername;Vorname;Nachname;Budget\nida;Ida;Ö;1\n{HOSTILE};=1+1;<b>;2\nida;Ida;Ö;1\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    find("chromium", "chromium-browser")
    with running_proxy(tmp_path_factory.mktemp("staff-site")) as proxy:
        add_teacher(proxy, TEACHER)
        roster = "username,full name,budget\n" + "".join(
            f"student.{number:02d},{'Zoë' if number % 2 else 'Ölaf'} Müller-{number},{number}.50\n"
            for number in range(1, 61)
        )
        office_act(proxy, lambda office: office.import_roster(roster.encode(), dry_run=False))
        yield proxy


@pytest.fixture(scope="module")
def browser(site: RunningProxy) -> Iterator[Browser]:
    with chromium() as running:
        yield running


SENT_BY_TWO_CLICKS = """() => {
  let sent = 0;
  addEventListener("submit", (event) => {
    sent += !event.defaultPrevented;
    event.preventDefault();
  });
  const button = document.querySelector("main form[method=post] button");
  button.form.noValidate = true;
  button.click();
  button.click();
  return sent;
}"""


def budget_usd(site: RunningProxy, name: str) -> int:
    accounts = aside(lambda: site.ask(lambda store: store.accounts()))
    return next(one.budget_pico for one in accounts if one.name == name) // 10**10


def sign_in(desk: CoursePage) -> None:
    desk.sign_in(TEACHER, PASSWORD, "/staff")
    desk.page.wait_for_url("**/staff")


@pytest.mark.parametrize(
    ("language", "viewport", "scheme"), [("en", DESKTOP, "light"), ("de", PHONE, "dark")]
)
def test_every_page_fits_its_window_and_keeps_nobody_out(
    site: RunningProxy, browser: Browser, language: str, viewport: dict[str, int], scheme: str
) -> None:
    with course_page(
        browser, site, language=language, viewport=viewport, color_scheme=scheme
    ) as desk:
        sign_in(desk)
        for path in PAGES:
            desk.open(path)
            assert desk.overhang <= 0, path
            assert desk.barriers() == [], path
            expect(desk.page.locator("html")).to_have_attribute("lang", language)


def test_without_javascript_a_selection_is_granted_budget(
    site: RunningProxy, browser: Browser
) -> None:
    with course_page(browser, site, java_script_enabled=False) as desk:
        sign_in(desk)
        desk.open("/staff/accounts?q=student.1")
        desk.page.get_by_label("student.11", exact=True).check()
        desk.page.get_by_label("student.12", exact=True).check()
        desk.page.get_by_role("button", name="Grant budget").click()
        expect(desk.page.locator("main")).to_contain_text("This concerns 2 accounts.")
        desk.page.get_by_label("Amount for each, in dollars").fill("1.25")
        desk.page.get_by_label("Reason").fill("a second project")
        desk.page.get_by_role("button", name="Grant budget").click()
        expect(desk.page.locator("main")).to_contain_text("Done for 2 accounts.")
    assert budget_usd(site, "student.11") == 1275
    assert budget_usd(site, "student.12") == 1375


def test_with_the_keyboard_alone_an_account_is_found_and_disabled(
    site: RunningProxy, browser: Browser
) -> None:
    with course_page(browser, site) as desk:
        sign_in(desk)
        desk.open("/staff/accounts")
        desk.page.get_by_label("Name or e-mail").focus()
        desk.page.keyboard.type("olaf muller-20")
        desk.page.keyboard.press("Enter")
        expect(desk.page.locator("tbody tr")).to_have_count(1)
        for target in ("tbody input[name=account]", "button[value=disable]"):
            for _ in range(60):
                desk.page.keyboard.press("Tab")
                if desk.page.locator(f"{target}:focus").count():
                    break
            desk.page.keyboard.press("Space")
        expect(desk.page.locator("main")).to_contain_text("Their keys stop working at once")
        assert desk.barriers() == []
        desk.page.get_by_role("button", name="Disable").focus()
        desk.page.keyboard.press("Enter")
        expect(desk.page.locator("main")).to_contain_text("Done for student.20.")


def test_a_hostile_roster_is_previewed_imported_and_its_passwords_are_gone_on_reload(
    site: RunningProxy, browser: Browser
) -> None:
    with course_page(browser, site, language="de", viewport=PHONE) as desk:
        attacks: list[str] = []
        desk.page.on("dialog", lambda dialog: (attacks.append(dialog.message), dialog.dismiss()))
        sign_in(desk)
        desk.open("/staff/roster")
        file = {"name": "liste.csv", "mimeType": "text/csv", "buffer": ROSTER.encode("latin-1")}
        desk.page.get_by_label("Datei").set_input_files(files=[file])
        desk.page.get_by_role("button", name="Erst ansehen").click()
        expect(desk.page.locator("main")).to_contain_text("2 Accounts kämen dazu.")
        expect(desk.page.locator("main")).to_contain_text("'ida' steht schon in Zeile 2.")
        assert desk.overhang <= 0
        desk.page.get_by_role("button", name="Einlesen").click()
        passwords = re.findall(r"\w{4}(?:-\w{4}){3}", desk.page.locator(".slips").inner_text())
        assert len(passwords) == 2
        expect(desk.page.locator(".slips")).to_contain_text(HOSTILE)
        assert desk.barriers() == []
        desk.page.reload()
        expect(desk.page.locator("h1")).to_have_text("Schon beantwortet")
        assert not any(password in desk.page.content() for password in passwords)
        desk.open("/staff/accounts?q=onerror")
        expect(desk.page.locator("tbody tr")).to_have_count(1)
        assert desk.page.locator("main img").count() == 0
        assert attacks == []


def test_the_sheet_prints_as_slips_and_nothing_else(site: RunningProxy, browser: Browser) -> None:
    with course_page(browser, site) as desk:
        sign_in(desk)
        desk.open("/staff/accounts?q=student.3")
        desk.page.get_by_label("Tick all on this page").check()
        desk.page.get_by_role("button", name="Reset passwords").click()
        desk.page.get_by_role("button", name="Reset passwords").click()
        desk.page.emulate_media(media="print")
        expect(desk.page.locator(".slip")).to_have_count(10)
        for hidden in ("header.top", "footer", "h1", "button[data-print]"):
            expect(desk.page.locator(hidden).first).to_be_hidden()


def test_the_back_button_and_a_second_tab_do_nothing_twice(
    site: RunningProxy, browser: Browser
) -> None:
    with course_page(browser, site) as desk:
        sign_in(desk)
        desk.open("/staff/accounts/40")
        desk.page.get_by_role("button", name="Grant budget").click()
        desk.page.get_by_label("Amount for each").fill("2")
        desk.page.get_by_label("Reason").fill("once")
        desk.page.get_by_role("button", name="Grant budget").click()
        expect(desk.page.locator("main")).to_contain_text("Done for student.40.")
        desk.page.go_back()
        expect(desk.page.locator("h1")).to_have_text("Answered already")
        desk.page.reload()
        expect(desk.page.locator("h1")).to_have_text("Answered already")
        desk.open("/staff/add")
        assert desk.page.evaluate(SENT_BY_TWO_CLICKS) == 1
    assert budget_usd(site, "student.40") == 4250
