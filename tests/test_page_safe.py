"""What keeps the page safe: sign-in, sessions, forms, headers, and what nobody may learn."""

import asyncio
import itertools
import re
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from apps import SECRET, Course
from argon2 import PasswordHasher
from stores import execute
from visitors import CHOSEN, HOST, PREFIX, Visitor, teacher, visiting

from swsllm_nb.proxy import auth
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.forwarded import read_network
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page import throttle


@pytest.fixture(autouse=True)
def cheap_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here holds for any cost, but for the time that a sign-in takes."""
    if "time" not in request.node.name:
        cheap = PasswordHasher(time_cost=1, memory_cost=512, parallelism=1)
        monkeypatch.setattr(auth, "_FOR_CHOSEN", cheap)


CROSS_SITE = [
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": f"http://{HOST}", "sec-fetch-site": "same-site"},
    {"origin": f"https://{HOST}"},
    {"sec-fetch-site": "cross-site"},
    {},
]


def session_cookie(answer: httpx2.Response) -> str:
    (set_cookie,) = [
        line
        for line in answer.headers.get_list("set-cookie")
        if "swsllm-session=" in line or "swsllm-staff=" in line
    ]
    return set_cookie


def test_a_first_sign_in_leads_to_a_password_of_ones_own_and_to_nothing_else(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        answer = await ada.sign_in("ada", served.password)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/")
        for path in ("/", "/receipts.csv"):
            assert (await ada.get(path)).headers["location"] == f"{PREFIX}/password"
        refused = await ada.send("/key", password=served.password)
        assert refused.headers["location"] == f"{PREFIX}/password"
        await ada.get("/password")
        await ada.send(
            "/password", password=served.password, new_password=CHOSEN, new_password_again=CHOSEN
        )
        assert (await ada.get("/")).status_code == 200
        assert "Your new password is set" in ada.told
        assert (await Visitor(served).sign_in("ada", served.password)).status_code == 403
        assert (await Visitor(served).sign_in("ada", CHOSEN)).status_code == 303

    visiting(tmp_path, act)


def test_a_password_that_cannot_be_chosen_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.sign_in("ada", served.password)
        for new, again, says in (
            ("short", "short", "too short"),
            ("x" * 201, "x" * 201, "too long"),
            ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "too easy"),
            (served.password, served.password, "is the old one"),
            (CHOSEN, "another one 1", "not the same"),
            ("", "", "too short"),
        ):
            await ada.get("/password")
            answer = await ada.send(
                "/password", password=served.password, new_password=new, new_password_again=again
            )
            assert answer.status_code == 422
            assert says in ada.told
        assert (await Visitor(served).sign_in("ada", served.password)).status_code == 303

    visiting(tmp_path, act)


def test_a_password_is_changed_only_by_who_knows_the_old_one_and_ends_other_sessions(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        ada, elsewhere = Visitor(served), Visitor(served)
        await ada.settle_in("ada", served.password)
        await elsewhere.sign_in("ada", CHOSEN)
        assert (await elsewhere.get("/")).status_code == 200
        await ada.get("/password")
        told = {"new_password": "a new one, longer", "new_password_again": "a new one, longer"}
        assert (await ada.send("/password", password="wrong", **told)).status_code == 403
        assert (await ada.send("/password", password=CHOSEN, **told)).status_code == 303
        assert (await ada.get("/")).status_code == 200
        assert (await elsewhere.get("/")).status_code == 303
        await elsewhere.get("/sign-in")
        assert "Your session has ended" in elsewhere.told

    visiting(tmp_path, act)


def test_a_form_of_another_site_does_nothing_even_with_the_right_token(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        fields = {"name": "ada", "password": CHOSEN, "language": "de"}
        for path in ("/sign-in", "/key", "/language", "/sign-out"):
            for headers in CROSS_SITE:
                await ada.get("/")
                answer = await ada.send(path, headers=headers, **fields)
                assert answer.status_code == 403, (path, headers)
                assert "from another site" in ada.page
                assert served.key not in ada.page
        assert (await ada.get("/")).status_code == 200
        assert '<html lang="en">' in ada.page

    visiting(tmp_path, act)


def test_a_form_without_the_token_of_its_session_does_nothing(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada, other = Visitor(served), Visitor(served)
        await ada.settle_in("ada", served.password)
        await Office(served.store, SECRET, "a test").add_account("bob", "1.00")
        await other.get("/sign-in")
        for token in ("", "0" * 64, other.token):
            answer = await ada.send("/key", csrf=token, password=CHOSEN)
            assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/key")
            assert served.key not in (await ada.client.get("/", follow_redirects=True)).text
        for token in ("", ada.token):
            answer = await other.send("/sign-in", csrf=token, name="ada", password=CHOSEN)
            assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/sign-in")
            assert "swsllm-session" not in answer.headers.get("set-cookie", "")

    visiting(tmp_path, act)


def test_a_session_is_new_at_every_sign_in_whatever_token_the_browser_came_with(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        first = ada.cookie("swsllm-session")
        await ada.sign_in("ada", CHOSEN)
        ada.client.cookies.clear()
        victim = Visitor(served)
        victim.client.cookies.set("swsllm-session", "planted", domain="127.0.0.1", path=PREFIX)
        await victim.sign_in("ada", CHOSEN)
        mine = [cookie.value for cookie in victim.client.cookies.jar if "session" in cookie.name]
        assert "planted" not in mine
        assert first not in mine
        planted = Visitor(served)
        planted.client.cookies.set("swsllm-session", "planted", domain="127.0.0.1", path=PREFIX)
        assert (await planted.get("/")).status_code == 303

    visiting(tmp_path, act)


def test_a_cookie_that_was_signed_out_or_replaced_is_worth_nothing_when_it_is_replayed(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        ada, thief = Visitor(served), Visitor(served)
        await ada.settle_in("ada", served.password)
        before = str(ada.cookie("swsllm-session"))
        await ada.get("/")
        await ada.send("/sign-out")
        assert ada.cookie("swsllm-session") is None
        await ada.sign_in("ada", CHOSEN)
        second = str(ada.cookie("swsllm-session"))
        await ada.sign_in("ada", CHOSEN)
        for token in (before, second) if second != ada.cookie("swsllm-session") else (before,):
            thief.client.cookies.set("swsllm-session", token, domain="127.0.0.1", path=PREFIX)
            assert (await thief.get("/")).status_code == 303

    visiting(tmp_path, act)


def test_a_session_ends_after_idle_hours_and_after_a_day(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        for column in ("seen_at", "expires_at"):
            await ada.sign_in("ada", CHOSEN)
            assert (await ada.get("/")).status_code == 200
            long_ago = f"UPDATE sessions SET {column} = '2026-01-01T00:00:00.000000Z'"
            await execute(served.store, long_ago)
            assert (await ada.get("/")).headers["location"] == f"{PREFIX}/sign-in"

    visiting(tmp_path, act)


@pytest.mark.parametrize("act_name", ["disable", "delete", "reset_passwords"])
def test_who_is_disabled_deleted_or_reset_is_signed_out_at_once(
    tmp_path: Path, act_name: str
) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        assert (await ada.get("/")).status_code == 200
        await getattr(Office(served.store, SECRET, "a test"), act_name)(["ada"])
        assert (await ada.get("/")).status_code == 303
        assert (await ada.sign_in("ada", CHOSEN)).status_code == 403
        if act_name == "disable":
            assert "switched off" in ada.told

    visiting(tmp_path, act)


def test_students_are_not_staff_and_staff_are_not_students(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        password = await teacher(served, "ada")
        student, staff = Visitor(served), Visitor(served)
        assert (await student.sign_in("ada", password)).status_code == 403
        assert (await staff.sign_in("ada", served.password, "/staff")).status_code == 403
        await student.settle_in("ada", served.password)
        await staff.settle_in("ada", password, "/staff")
        assert (
            (await student.get("/staff/password"))
            .headers["location"]
            .startswith(f"{PREFIX}/staff/sign-in")
        )
        assert (await staff.get("/")).headers["location"] == f"{PREFIX}/sign-in"
        token = str(student.cookie("swsllm-session"))
        forger = Visitor(served)
        forger.client.cookies.set("swsllm-staff", token, domain="127.0.0.1", path=PREFIX)
        assert (await forger.get("/staff/password")).status_code == 303

    visiting(tmp_path, act)


@pytest.mark.parametrize(
    ("public_url", "origin", "name", "secure"),
    [
        ("https://uni.example/llm", "https://uni.example", "__Secure-swsllm", True),
        ("http://uni.example:8080/llm", "http://uni.example:8080", "swsllm", False),
        (None, f"http://{HOST}", "swsllm", False),
    ],
)
def test_a_session_cookie_is_for_this_path_alone_and_for_https_where_there_is_https(
    tmp_path: Path, public_url: str | None, origin: str, name: str, secure: bool
) -> None:
    async def act(served: Course) -> None:
        password = await teacher(served)
        ada, staff = Visitor(served, origin=origin), Visitor(served, origin=origin)
        for who, called, word, area, path in (
            (ada, "ada", served.password, "", PREFIX),
            (staff, "lehr", password, "/staff", f"{PREFIX}/staff"),
        ):
            cookie = session_cookie(await who.sign_in(called, word, area))
            kind = "staff" if area else "session"
            assert re.match(rf"{name}-{kind}=[\w-]{{43}}; ", cookie)
            words = {part.strip().lower() for part in cookie.split(";")[1:]}
            expected = {"httponly", f"path={path}", "samesite=lax"}
            assert words == expected | ({"secure"} if secure else set())

    visiting(tmp_path, act, public_url=public_url)


@pytest.mark.parametrize(
    ("public_url", "own", "others"),
    [
        (
            None,
            ("127.0.0.1:8000", "localhost", "[::1]:8000", "10.1.2.3"),
            (
                "evil.example",
                "127.0.0.1.evil.example",
                "localhost:8000/x",
                "localhost@evil.example",
            ),
        ),
        (
            "https://uni.example/llm",
            ("uni.example", "uni.example:443", "UNI.example"),
            ("uni.example:8443", "evil.example", "127.0.0.1:8000", "uni.example.evil.example"),
        ),
    ],
)
def test_the_page_answers_to_its_own_name_only(
    tmp_path: Path, public_url: str | None, own: tuple[str, ...], others: tuple[str, ...]
) -> None:
    async def act(served: Course) -> None:
        for host in own:
            answer = await Visitor(served).get("/sign-in", headers={"host": host})
            assert answer.status_code == 200, host
        for host in others:
            answer = await Visitor(served).get("/sign-in", headers={"host": host})
            assert answer.status_code == 421, host
            assert host not in answer.text
            assert "set-cookie" not in answer.headers

    visiting(tmp_path, act, public_url=public_url)


def test_a_forwarded_host_or_client_is_not_believed_from_anybody(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        await Visitor(served, address="10.8.0.1").settle_in("ada", served.password)
        liar = Visitor(served, **{"x-forwarded-host": "evil.example"})
        assert (await liar.get("/sign-in")).status_code == 200
        assert "evil.example" not in liar.page
        for number in range(6):
            liar.client.headers["x-forwarded-for"] = f"10.0.0.{number}"
            answer = await liar.sign_in("ada", "wrong")
        assert answer.status_code == 403
        assert (await liar.sign_in("ada", CHOSEN)).status_code == 429

    visiting(tmp_path, act)


def test_whom_a_trusted_front_proxy_speaks_for_is_throttled_and_not_the_proxy(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        async def sign_in(client: str, password: str) -> int:
            somebody = Visitor(served, address="10.9.0.1", **{"x-forwarded-for": client})
            return (await somebody.sign_in("ada", password)).status_code

        await Visitor(served, address="10.8.0.1").settle_in("ada", served.password)
        for _ in range(6):
            assert await sign_in("203.0.113.7", "wrong") == 403
        assert await sign_in("203.0.113.7", CHOSEN) == 429
        assert await sign_in("203.0.113.7, 198.51.100.8", CHOSEN) == 303
        for number in range(6):
            assert await sign_in(f"2001:db8:1:2::{number}", "wrong") == 403
        assert await sign_in("2001:db8:1:2:ffff::1", CHOSEN) == 429
        assert await sign_in("2001:db8:1:3::1", CHOSEN) == 303

    visiting(tmp_path, act, trusted_proxies=(read_network("10.9.0.0/16"),))


PAGES = [
    "/", "/sign-in", "/models-and-prices", "/your-data", "/password", "/receipts.csv",
    "/staff", "/staff/sign-in", "/staff/nothing", "/key", "/static/nothing.css",
]  # fmt: skip


@pytest.mark.parametrize("signed_in", [True, False])
def test_every_answer_tells_browsers_what_to_refuse_and_to_keep_nothing(
    tmp_path: Path, signed_in: bool
) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        if signed_in:
            await ada.settle_in("ada", served.password)
        for path in PAGES:
            answer = await ada.get(path)
            policy = answer.headers["content-security-policy"]
            assert policy == (
                "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
                "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
            )
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert answer.headers["cache-control"] == "no-store", path
            assert not re.search(r"<script>|<style|\sstyle=|\son\w+=|javascript:", answer.text)

    visiting(tmp_path, act)


def test_files_that_never_change_may_be_kept_and_nothing_else_is_served(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        anybody = Visitor(served)
        await anybody.get("/sign-in")
        for path in re.findall(rf'"{PREFIX}(/static/[^"]+)"', anybody.page):
            answer = await anybody.get(path)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
        for path in ("/static/../site.py", "/static/%2e%2e/site.py", "/static/page.css"):
            assert (await anybody.get(path)).status_code == 404

    visiting(tmp_path, act)


ELSEWHERE = [
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "evil.example",
    "/%0d%0aset-cookie:x=y", "javascript:alert(1)", "/../../other", "/staff/../../other",
    "/%2e%2e/other", "/.%2e/other", "/a\r\nb: c",
]  # fmt: skip
"""Where a form may ask to be led to after signing in."""


def test_signing_in_leads_nowhere_else(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        for back in ELSEWHERE:
            ada = Visitor(served)
            await ada.get("/sign-in", params={"back": back})
            answer = await ada.send("/sign-in", name="ada", password=served.password, back=back)
            assert answer.headers["location"] == f"{PREFIX}/", back
        ada = Visitor(served)
        await ada.get("/sign-in")
        back = "/?model=gpt-4o&since=2026-11-01"
        answer = await ada.send("/sign-in", name="ada", password=served.password, back=back)
        assert answer.headers["location"] == f"{PREFIX}{back}"

    visiting(tmp_path, act)


def test_guessing_is_stopped_for_one_account_from_one_place_and_nobody_else(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        made = await Office(served.store, SECRET, "a test").add_account("bob", "1.00")
        await Visitor(served, address="10.8.0.1").settle_in("ada", served.password)
        guesser = Visitor(served, address="10.0.0.1")
        for _ in range(6):
            assert (await guesser.sign_in("ada", "wrong")).status_code == 403
        answer = await guesser.sign_in("ada", CHOSEN)
        assert answer.status_code == 429
        assert re.search(r"wait \d+ seconds", guesser.told)
        elsewhere, beside = (Visitor(served, address=f"10.0.0.{n}") for n in (2, 1))
        assert (await elsewhere.sign_in("ada", CHOSEN)).is_redirect
        assert (await beside.sign_in("bob", made.password)).is_redirect

    visiting(tmp_path, act)


def test_who_fails_on_purpose_locks_out_no_browser_that_signed_in_before(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada, hostile = Visitor(served), Visitor(served)
        await ada.settle_in("ada", served.password)
        await ada.get("/")
        await ada.send("/sign-out")
        await hostile.get("/sign-in")
        for number in range(203):
            await hostile.send("/sign-in", name=f"guess {number}", password="x")
        for _ in range(7):
            await hostile.send("/sign-in", name="ada", password="x")
        assert (await hostile.send("/sign-in", name="ada", password=CHOSEN)).status_code == 429
        assert (await ada.sign_in("ada", CHOSEN)).status_code == 303

    visiting(tmp_path, act)


def test_a_class_signs_in_for_the_first_time_while_somebody_beside_it_only_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rule in ("_ADDRESS", "_NAME", "_PAIR"):
        monkeypatch.setattr(throttle, rule, replace(getattr(throttle, rule), free=2))

    async def act(served: Course) -> None:
        office = Office(served.store, SECRET, "a test")
        made = [await office.add_account(f"student {n}", "1") for n in range(30)]
        names = [one.account.name for one in made]
        hostile = Visitor(served)
        await hostile.get("/sign-in")
        answers: Counter[int] = Counter()

        async def fail_until_told() -> None:
            for name in itertools.cycle(names):
                answer = await hostile.send("/sign-in", name=name, password="guess")
                answers[answer.status_code] += 1
                if done.is_set():
                    return

        done = asyncio.Event()
        failing = asyncio.create_task(fail_until_told())
        while not answers[429]:
            await asyncio.sleep(0)
        signing_in = (Visitor(served).sign_in(one.account.name, one.password) for one in made)
        signed_in = await asyncio.gather(*signing_in)
        assert [answer.status_code for answer in signed_in] == [303] * 30
        assert (await Visitor(served).settle_in(names[0], made[0].password)).status_code == 303
        assert (await Visitor(served).sign_in(names[0], CHOSEN)).status_code == 429
        done.set()
        await failing
        assert answers[403] < 10

    visiting(tmp_path, act)


def test_a_browser_that_signed_in_before_guesses_no_faster_and_under_no_other_name(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        await Office(served.store, SECRET, "a test").add_account("bob", "1")
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        await ada.get("/")
        await ada.send("/sign-out")
        for name in ("ada", "bob"):
            await ada.get("/sign-in")
            tried = [await ada.send("/sign-in", name=name, password="x") for _ in range(8)]
            assert [answer.status_code for answer in tried] == [403] * 6 + [429] * 2

    visiting(tmp_path, act)


def test_the_password_once_more_is_no_way_around_the_throttle(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        await ada.get("/")
        for _ in range(6):
            assert (await ada.send("/key", password="wrong")).status_code == 403
        for path in ("/key", "/key/new", "/password"):
            assert (await ada.send(path, password=CHOSEN)).status_code == 429
            assert served.key not in ada.page

    visiting(tmp_path, act)


def test_nobody_learns_from_words_or_time_which_accounts_there_are(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        await Office(served.store, SECRET, "a test").add_account("bob", "1.00")
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        # Of the processor, so that a busy machine makes no difference.
        took: dict[str, list[float]] = {"ada": [], "bob": [], "nobody": []}
        said = set()
        for number in range(3):
            for name, seconds in took.items():
                somebody = Visitor(served, address=f"10.0.0.{number}")
                await somebody.get("/sign-in")
                began = time.process_time()
                answer = await somebody.send("/sign-in", name=name, password="wrong")
                seconds.append(time.process_time() - began)
                said.add((answer.status_code, somebody.told))
        assert len(said) == 1
        fastest = {name: min(seconds) for name, seconds in took.items()}
        assert max(fastest.values()) < 1.5 * min(fastest.values()), fastest

    visiting(tmp_path, act)


def test_a_key_is_in_no_page_until_it_is_asked_for_with_the_password(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        await ada.get("/")
        assert served.key[:8] in ada.page
        assert served.key not in ada.page
        assert (await ada.send("/key", password="wrong")).status_code == 403
        assert served.key not in ada.page
        await ada.get("/")
        shown = await ada.send("/key", password=CHOSEN)
        assert served.key in shown.text
        assert shown.headers["cache-control"] == "no-store"
        assert str(shown.url) == f"http://{HOST}{PREFIX}/key"
        assert (await ada.get("/key")).status_code == 303

    visiting(tmp_path, act)


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


def test_hostile_names_reasons_and_words_of_the_course_are_text(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        office = Office(served.store, SECRET, "a test")
        made = await office.add_account(HOSTILE[:100], "1.00", full_name=HOSTILE)
        await office.grant([HOSTILE[:100]], "1.00", HOSTILE)
        await office.set_course(name=HOSTILE, contact=HOSTILE)
        victim = Visitor(served)
        await victim.settle_in(HOSTILE[:100], made.password)
        for path in ("/", "/password", "/your-data", "/?model=<script>x</script>&since=<b>"):
            answer = await victim.get(path)
            assert answer.status_code == 200
            assert "<script>" not in answer.text
            assert "<img" not in answer.text
            assert "<b>" not in answer.text
            assert "&lt;script&gt;alert(1)" in answer.text
            assert "{{ 7*7 }}" in answer.text

    visiting(tmp_path, act)


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_form_that_is_too_large_or_cannot_be_read_is_one_sentence(
    tmp_path: Path, signed_in: bool
) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        if signed_in:
            await ada.settle_in("ada", served.password)
        await ada.get("/sign-in")
        answer = await ada.send("/sign-in", name="x" * 100_000)
        assert answer.status_code == 413
        many = {f"f{number}": "" for number in range(6000)}
        assert (await ada.send("/sign-in", **many)).status_code in (400, 413)
        headers = {"origin": ada.origin, "content-type": "multipart/form-data; boundary=x"}
        broken = await ada.client.post("/sign-in", content=b"--y\r\nbroken", headers=headers)
        assert broken.status_code in (400, 409)

    visiting(tmp_path, act)


TRICKS = [
    "//llm/", "/llm//", "/llm/../llm/", "/llm/./", "/llm/%2e%2e/llm/staff", "/LLM/staff",
    "/llm/STAFF", "/llm//staff/accounts", "/llm/staff/./accounts", "/llm/v1/staff",
    "/llm/staff/api/../accounts", "/llm/staff%2faccounts", "/llm/staff;x/accounts", "/llm/%00",
    "/llm/staff/%0d%0ax:y", "/llmx/staff", "/v1/llm/staff", "//evil.example/llm/",
    "/llm/\\evil.example", "/staff/accounts", "/v1/v1/staff", "/llm/llm/staff",
    "/llm/" + "a/" * 500, "/llm/%ff%fe", "/llm/receipts.csv/", "/llm/key/new/",
]  # fmt: skip


def test_paths_written_in_tricky_ways_show_nothing_and_lead_nowhere(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        await teacher(served)
        anybody = Visitor(served, prefix="")
        for path in TRICKS:
            request = httpx2.Request("GET", anybody.origin)
            request.url = request.url.copy_with(raw_path=path.encode())
            answer = await anybody.client.send(request)
            assert answer.status_code in (200, 303, 404), path
            assert served.key[:8] not in answer.text
            assert "Ada" not in answer.text
            if answer.status_code == 303:
                assert answer.headers["location"].startswith(
                    (f"{PREFIX}/sign-in", f"{PREFIX}/staff/")
                )
            if answer.status_code == 200:
                assert answer.headers["content-type"].startswith("text/html")
                assert "sign-in" in answer.text

    visiting(tmp_path, act)


def test_who_comes_with_a_key_is_answered_by_the_api_at_the_pages_paths_too(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        program = Visitor(served)
        program.client.headers["authorization"] = f"Bearer {served.key}"
        for method, path in (("POST", "/"), ("GET", "/"), ("GET", "/sign-in"), ("PUT", "/key")):
            answer = await program.client.request(method, path, json={})
            assert answer.status_code == 404
            assert answer.json()["error"]["code"] == "unknown_url"

    visiting(tmp_path, act)


def test_a_page_that_is_only_asked_for_its_head_does_nothing_more(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        for path in ("/", "/password", "/sign-in", "/key", "/models-and-prices"):
            answer = await ada.client.head(path)
            assert answer.status_code in (200, 303), path

    visiting(tmp_path, act)


def test_what_fails_inside_is_one_sentence_and_a_line_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)

        async def away(_: object) -> None:
            raise StoreUnavailable("the database is away: postgresql://secret@host")

        async def broken(_: object) -> None:
            raise RuntimeError("a secret of the inside")

        with monkeypatch.context() as patched:
            patched.setattr(served.store, "read", away)
            assert (await ada.get("/")).status_code == 503
            assert "does not answer" in ada.told
            patched.setattr(served.store, "read", broken)
            assert (await ada.get("/")).status_code == 500
        assert "The page itself failed" in ada.told
        assert "secret" not in ada.page
        assert "a secret of the inside" in caplog.text
        assert (await ada.get("/")).status_code == 200

    visiting(tmp_path, act)


def test_a_key_older_than_the_page_is_replaced_and_not_shown(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        await execute(served.store, "UPDATE keys SET sealed = NULL")
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        await ada.get("/")
        assert "older than the page and cannot be shown" in ada.page
        await ada.send("/key", password=CHOSEN)
        assert "Make a new one" in ada.told
        await ada.get("/")
        replaces = re.search(r'name="replaces" value="([^"]*)"', ada.page)
        assert replaces is not None
        answer = await ada.send("/key/new", password=CHOSEN, replaces=replaces[1])
        assert re.search(r"sws-\w{40}", answer.text)

    visiting(tmp_path, act)


def test_two_tabs_that_replace_the_key_at_once_make_one_and_both_show_it(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        await ada.get("/")
        replaces = re.search(r'name="replaces" value="([^"]+)"', ada.page)
        assert replaces is not None
        fields = {"password": CHOSEN, "replaces": replaces[1]}
        tabs = await asyncio.gather(*(ada.send("/key/new", **fields) for _ in range(2)))
        found = [re.search(r"sws-\w{40}", tab.text) for tab in tabs]
        assert len({key and key[0] for key in found}) == 1
        assert found[0] is not None
        assert sorted("was replaced already, on 20" in tab.text for tab in tabs) == [False, True]
        assert await served.store.key_holder(SECRET.hash_key(found[0][0])) is not None
        keys = await execute(served.store, "SELECT id FROM keys")
        assert len(keys) == 2

    visiting(tmp_path, act)


def test_where_keys_are_shown_once_a_form_that_is_sent_again_shows_none(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        await execute(served.store, "UPDATE course SET keys_shown_once = 1")
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        await ada.get("/")
        replaces = re.search(r'name="replaces" value="([^"]*)"', ada.page)
        assert replaces is not None
        fields = {"password": CHOSEN, "replaces": replaces[1]}
        assert re.search(r"sws-\w{40}", (await ada.send("/key/new", **fields)).text)
        assert "shown this once" in ada.page
        await ada.get("/")
        again = await ada.send("/key/new", **fields)
        assert not re.search(r"sws-\w{40}", again.text)
        assert "cannot be shown again" in ada.told
        keys = await execute(served.store, "SELECT id FROM keys WHERE revoked_at IS NULL")
        assert len(keys) == 1

    visiting(tmp_path, act)


def test_a_teachers_own_new_password_stands_in_the_trail(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        password, staff = await teacher(served), Visitor(served)
        await staff.settle_in("lehr", password, "/staff")
        await staff.get("/staff/trail")
        assert re.search(r"<td>lehr</td><td>\s*own password chosen", staff.page)
        assert CHOSEN not in staff.page
        assert (await Visitor(served).sign_in("lehr", CHOSEN, "/staff")).status_code == 303

    visiting(tmp_path, act)


def test_what_no_database_takes_is_refused_in_a_sentence(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        password, staff = await teacher(served), Visitor(served)
        await staff.settle_in("lehr", password, "/staff")
        for path in ("/staff/accounts?search=a%00b", f"/staff/accounts/{10**19}", "/staff?x=%00"):
            assert (await staff.get(path)).status_code == 404, path
        await staff.get("/staff/add")
        answer = await staff.send("/staff/add", name="a\0b", budget="1.00")
        assert answer.status_code == 400
        assert "cannot be read" in staff.told

    visiting(tmp_path, act)


def test_names_that_nobody_has_are_nobodys(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        somebody = Visitor(served)
        for name in ("a\tb", "\ufffd", "x" * 5000, "", "' OR 1=1 --"):
            answer = await somebody.sign_in(name, "wrong")
            assert answer.status_code == 403

    visiting(tmp_path, act)


def test_what_a_page_can_be_asked_with_is_told_and_odd_numbers_are_no_fault(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        password = await teacher(served)
        staff = Visitor(served)
        await staff.settle_in("lehr", password, "/staff")
        told = await staff.client.options("/sign-in")
        assert told.status_code == 204
        assert {"GET", "POST", "OPTIONS"} <= {*told.headers["allow"].split(", ")}
        assert (await staff.client.put("/sign-in")).status_code == 405
        for number in ("0", "x", "-1", "9" * 5000, "٣"):
            for path in ("", "/record.json", "/ledger.csv"):
                answer = await staff.get(f"/staff/accounts/{number}{path}")
                assert (answer.status_code, "There is no such" in staff.page) == (404, True)

    visiting(tmp_path, act)


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_file_that_was_sent_after_the_session_ended_is_asked_for_again(
    tmp_path: Path, size: int
) -> None:
    async def act(served: Course) -> None:
        password = await teacher(served)
        staff = Visitor(served)
        await staff.settle_in("lehr", password, "/staff")
        await staff.get("/staff/roster")
        await execute(served.store, "DELETE FROM sessions")
        sent = await staff.client.post(
            "/staff/roster",
            data={"csrf": staff.token, "budget": "5"},
            files={"roster": ("roster.csv", b"username\n" + b"x" * size, "text/csv")},
            headers={"origin": staff.origin},
        )
        staff.page = sent.text
        assert sent.status_code == 403
        assert "Your session has ended. Please sign in again." in staff.told
        assert 'name="kept"' not in staff.page
        back = await staff.send(
            "/staff/sign-in", name="lehr", password=CHOSEN, back="/staff/roster"
        )
        assert back.headers["location"] == f"{PREFIX}/staff/roster"
        assert 'name="back" value="/staff/roster"' in sent.text

    visiting(tmp_path, act)


def test_staff_are_led_by_their_own_pages_also_where_something_is_missing(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        password = await teacher(served)
        staff = Visitor(served)
        await staff.settle_in("lehr", password, "/staff")
        for path in ("/staff/password", "/staff/accounts/999", "/staff/nowhere"):
            await staff.get(path)
            assert f'href="{PREFIX}/staff/accounts"' in staff.page
            assert "My budget" not in staff.page

    visiting(tmp_path, act)
