"""Behind a real nginx with TLS and a prefix, as the deployment page says; two hosts behind one."""

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from fake_openai import FakeOpenAI, Scripted
from fleets import fleet_of
from nginx import RunningNginx, directive, free_port, running_nginx
from proxies import PREFIX, RunningProxy, running_proxy

from swsllm_nb.proxy.completions import BODY_LIMIT_BYTES
from swsllm_nb.proxy.upstream import TOTAL_TIMEOUT_SECONDS

STRIPPED = ("proxy_pass http://swsllm;", "proxy_pass http://swsllm/;")
SHORT_WAIT = (f"proxy_read_timeout {directive('proxy_read_timeout')};", "proxy_read_timeout 300ms;")
SLOW = Scripted(wait_before_headers=1)

_numbers = count()


@pytest.fixture(scope="module", params=["prefix kept", "prefix stripped"])
def front(
    request: pytest.FixtureRequest, proxy: RunningProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningNginx]:
    changes = [STRIPPED] if request.param == "prefix stripped" else []
    with running_nginx(tmp_path_factory.mktemp("front"), [proxy.base_url], *changes) as nginx:
        yield nginx


def ask(front: RunningNginx, key: str, text: str = "Hi", **options: int) -> Any:
    with front.client(key, **options) as client:
        return client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": text}], max_tokens=100
        )


class Student:
    """An account of its own for one test."""

    def __init__(self, proxy: RunningProxy) -> None:
        self.proxy = proxy
        self.name = f"student-{next(_numbers)}"
        self.key = proxy.add_account(self.name).key

    @property
    def states(self) -> list[str]:
        return [row["state"] for row in self.proxy.calls(self.name)]


@pytest.fixture
def student(proxy: RunningProxy) -> Student:
    return Student(proxy)


def test_the_openai_library_asks_through_it(front: RunningNginx, student: Student) -> None:
    answer = ask(front, student.key)
    assert answer.choices[0].message.content == "Hello from the stub."
    with front.session() as session:
        for path in ("/healthz", "/readyz", "/models", "/v1/models"):
            assert session.get(f"{front.base_url}{path}", timeout=20).status_code == 200


def test_a_stream_is_passed_on_as_it_comes(
    front: RunningNginx, student: Student, upstream: FakeOpenAI
) -> None:
    upstream.answers.append(Scripted(chunks=("one ", "two ", "three"), wait_between_chunks=0.25))
    with front.client(student.key) as client:
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        texts = (chunk.choices[0].delta.content for chunk in stream if chunk.choices)
        arrived = [time.monotonic() for text in texts if text]
    assert len(arrived) == 3
    assert arrived[1] - arrived[0] > 0.12
    assert arrived[2] - arrived[1] > 0.12


def test_a_slow_answer_is_waited_for_and_charged_once(
    front: RunningNginx, student: Student, upstream: FakeOpenAI
) -> None:
    upstream.answers.append(SLOW)
    assert ask(front, student.key).usage
    assert student.states == ["settled"]


def test_a_wait_that_is_too_short_turns_one_slow_call_into_three_charges(
    proxy: RunningProxy, student: Student, upstream: FakeOpenAI, tmp_path: Path
) -> None:
    upstream.answers.extend([SLOW] * 3)
    with (
        running_nginx(tmp_path, [proxy.base_url], SHORT_WAIT) as front,
        pytest.raises(openai.InternalServerError, match="504"),
    ):
        ask(front, student.key)
    deadline = time.monotonic() + 20
    while student.states != ["settled"] * 3:
        assert time.monotonic() < deadline, student.states
        time.sleep(0.02)


def test_the_waits_and_sizes_that_are_shipped_are_above_the_proxys_own() -> None:
    minutes = directive("proxy_read_timeout").removesuffix("m")
    assert int(minutes) * 60 > TOTAL_TIMEOUT_SECONDS + 60
    megabytes = directive("client_max_body_size").removesuffix("m")
    assert int(megabytes) * 1024 * 1024 > BODY_LIMIT_BYTES


def test_what_is_too_long_gets_the_proxys_own_sentence(
    front: RunningNginx, student: Student
) -> None:
    with pytest.raises(openai.APIStatusError, match="Send less text at once") as refused:
        ask(front, student.key, "x" * BODY_LIMIT_BYTES, max_retries=0)
    assert refused.value.status_code == 413


def test_nothing_that_a_client_invents_about_itself_is_passed_on(
    upstream: FakeOpenAI, tmp_path: Path
) -> None:
    invented = {
        "X-Forwarded-For": "198.51.100.1",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "elsewhere.example",
    }
    with running_nginx(tmp_path, [upstream.origin]) as front, front.session() as session:
        session.get(f"{front.base_url}/models", headers=invented, timeout=20)
        told = upstream.requests[-1].headers
        assert told["x-forwarded-for"] == "127.0.0.1"
        assert told["x-forwarded-proto"] == "https"
        assert told["x-forwarded-host"] in front.base_url
        assert told["host"] in front.base_url


@pytest.fixture(scope="module", params=["prefix kept", "prefix stripped"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningNginx, RunningProxy]]:
    """A proxy that was told its public address and its front proxy, as the page says."""
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    changes = [STRIPPED] if request.param == "prefix stripped" else []
    public = ("--public-url", f"https://127.0.0.1:{port}{PREFIX}")
    with (
        running_proxy(folder, *public, "--trusted-proxy", "127.0.0.1") as proxy,
        running_nginx(folder, [proxy.base_url], *changes, port=port) as nginx,
    ):
        yield nginx, proxy


def sign_in(
    session: requests.Session, front: RunningNginx, name: str, password: str, **headers: str
) -> requests.Response:
    address = f"{front.base_url}/sign-in"
    (token,) = set(re.findall(r'name="csrf" value="(\w+)"', session.get(address, timeout=20).text))
    return session.post(
        address,
        data={"csrf": token, "name": name, "password": password},
        headers={"origin": front.origin, "sec-fetch-site": "same-origin", **headers},
        allow_redirects=False,
        timeout=20,
    )


def test_the_page_is_at_its_public_address_with_a_cookie_for_that_alone(
    site: tuple[RunningNginx, RunningProxy],
) -> None:
    front, proxy = site
    password = proxy.add_account("ada").password
    with front.session() as session:
        answer = sign_in(session, front, "ada", password)
        assert answer.status_code == 303
        (cookie,) = [line for line in answer.raw.headers.getlist("set-cookie") if "session" in line]
        assert cookie.startswith("__Secure-")
        for part in (f"Path={PREFIX}", "Secure", "HttpOnly", "SameSite"):
            assert part in cookie
        assert answer.headers["location"].startswith(f"{PREFIX}/")
        page = session.get(f"{front.base_url}/", timeout=20)
        assert (page.status_code, page.url) == (200, f"{front.base_url}/password")
        elsewhere = session.get(
            f"{front.base_url}/sign-in", headers={"host": "evil.example"}, timeout=20
        )
        assert elsewhere.status_code >= 400


def test_who_fails_to_sign_in_at_one_address_locks_nobody_out_at_another(
    site: tuple[RunningNginx, RunningProxy],
) -> None:
    front, proxy = site
    password = proxy.add_account("ben").password
    with front.session("127.0.0.2") as guessing, front.session("127.0.0.3") as ben:
        for _ in range(50):
            # What it invents about itself does not help it.
            invented = {"x-forwarded-for": f"198.51.100.{_}"}
            if sign_in(guessing, front, "ben", "wrong", **invented).status_code == 429:
                break
        else:
            pytest.fail("it may guess for ever")
        assert sign_in(guessing, front, "ben", "wrong").status_code == 429
        assert sign_in(ben, front, "ben", "mistyped").status_code == 403
        assert sign_in(ben, front, "ben", password).status_code == 303


def test_two_hosts_on_one_postgresql_serve_one_course_and_one_may_die(
    request: pytest.FixtureRequest, upstream: FakeOpenAI, tmp_path: Path
) -> None:
    port = free_port()
    public = ("--public-url", f"https://127.0.0.1:{port}{PREFIX}")
    with fleet_of(request, tmp_path, upstream.base_url, "postgres") as fleet, ExitStack() as stack:
        hosts = [fleet.start(*public) for _ in range(2)]
        urls = [host.base_url for host in hosts]
        front = stack.enter_context(running_nginx(tmp_path, urls, port=port))
        key = fleet.add_account("ada", "5.00")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: ask(front, key), range(24)))
            owners = fleet.rows("SELECT DISTINCT owner FROM ledger WHERE kind = 'call'")
            assert len(owners) == 2
            with front.session() as session:
                password = hosts[1].add_account("ben").password
                assert sign_in(session, front, "ben", password).status_code == 303
                for _ in range(4):
                    page = session.get(f"{front.base_url}/", timeout=20)
                    assert page.url == f"{front.base_url}/password"
            os.kill(hosts[0].process.pid, signal.SIGKILL)
            hosts[0].process.wait(20)
            list(pool.map(lambda _: ask(front, key), range(8)))
        fleet.wait_until_nothing_is_held("ada")
        assert [row["state"] for row in fleet.calls("ada")] == ["settled"] * 32
        hosts[1].assert_adds_up()
