"""The page behind a real nginx with TLS, under a prefix that it keeps or strips."""

import re
from collections.abc import Iterator

import pytest
import requests
from nginx import RunningNginx, running_nginx
from proxies import PREFIX, RunningProxy, running_proxy
from test_nginx import STRIPPED

NAME = "llm.example.org"
HERE = {"host": NAME, "origin": f"https://{NAME}"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    options = ("--public-url", f"https://{NAME}{PREFIX}", "--trusted-proxy", "127.0.0.1")
    with running_proxy(tmp_path_factory.mktemp("site"), *options) as proxy:
        yield proxy


@pytest.fixture(params=["prefix kept", "prefix stripped"])
def front(
    request: pytest.FixtureRequest, site: RunningProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningNginx]:
    changes = [STRIPPED] if request.param == "prefix stripped" else []
    with running_nginx(tmp_path_factory.mktemp("front"), [site.base_url], *changes) as nginx:
        yield nginx


def send(session: requests.Session, url: str, page: str, **fields: str) -> requests.Response:
    token = re.search(r'name="csrf" value="(\w+)"', page)
    assert token is not None
    told = {"csrf": token[1]} | fields
    return session.post(url, told, headers=HERE, allow_redirects=False, timeout=20)


def test_a_student_signs_in_over_tls_and_every_link_stays_under_the_prefix(
    front: RunningNginx, site: RunningProxy, request: pytest.FixtureRequest
) -> None:
    name = f"student {request.node.callspec.id}"
    account = site.add_account(name)
    with front.session() as session:
        page = session.get(f"{front.base_url}/sign-in", headers=HERE, timeout=20)
        assert page.status_code == 200
        links = re.findall(r'(?:href|src|action)="([^"]+)"', page.text)
        assert links
        assert all(link.startswith((f"{PREFIX}/", "#")) for link in links)
        for path in (link for link in links if "/static/" in link):
            url = front.base_url.removesuffix(PREFIX) + path
            assert session.get(url, headers=HERE, timeout=20).status_code == 200
        answer = send(
            session, f"{front.base_url}/sign-in", page.text, name=name, password=account.password
        )
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Secure-swsllm-session=")
        assert "; Secure" in cookie
        assert f"; Path={PREFIX};" in cookie
        changed = session.get(f"{front.base_url}/password", headers=HERE, timeout=20)
        assert "Choose your own password" in changed.text
