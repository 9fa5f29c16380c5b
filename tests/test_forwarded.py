"""Who asked, seen through front proxies: the trusted are believed, and nobody else."""

import pytest

from swsllm_nb.proxy.forwarded import RequestOrigin, read_network, request_origin

TRUSTED = [read_network("127.0.0.1"), read_network("10.0.0.0/8"), read_network("fd00::/8")]
STUDENT, FRONT = "203.0.113.7", "10.0.0.1"


def origin(peer: str | None, *headers: tuple[str, str]) -> RequestOrigin:
    scope = {
        "type": "http",
        "scheme": "http",
        "client": peer and (peer, 50_000),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    return request_origin(scope, TRUSTED)


TOLD = (
    ("host", "inside:8000"),
    ("x-forwarded-for", STUDENT),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "LLM.example.org"),
)


def test_a_trusted_proxy_is_believed_whom_it_speaks_for() -> None:
    expected = RequestOrigin(STUDENT, "https", "llm.example.org")
    for front in ("127.0.0.1", FRONT, "fd00::1", "::ffff:127.0.0.1"):
        assert origin(front, *TOLD) == expected


def test_nobody_else_is_believed() -> None:
    assert origin("203.0.113.99", *TOLD) == RequestOrigin("203.0.113.99", "http", "inside:8000")
    assert origin(None, *TOLD) == RequestOrigin("", "http", "inside:8000")


def test_without_trusted_proxies_not_even_this_machine_is_believed() -> None:
    scope = {
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in TOLD],
    }
    assert request_origin(scope, ()) == RequestOrigin("127.0.0.1", "http", "inside:8000")


@pytest.mark.parametrize(
    ("stated", "client"),
    [
        (f"198.51.100.1, {STUDENT}", STUDENT),  # the first one was invented by the student
        (f"198.51.100.1, {STUDENT}, 10.0.0.2", STUDENT),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("unknown", FRONT),
        (f"{STUDENT}, unknown, 10.0.0.2", "10.0.0.2"),
        (f"::ffff:{STUDENT}", STUDENT),
        ("2001:db8::7", "2001:db8::7"),
        ("", FRONT),
    ],
)
def test_the_nearest_address_that_no_trusted_proxy_has_is_the_client(
    stated: str, client: str
) -> None:
    assert origin(FRONT, ("x-forwarded-for", stated)).client == client


def test_several_headers_are_one_list() -> None:
    told = ("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", STUDENT)
    assert origin(FRONT, *told).client == STUDENT


def test_a_scheme_that_is_none_and_a_missing_host_leave_what_is_there() -> None:
    told = ("host", "inside"), ("x-forwarded-proto", "gopher")
    assert origin(FRONT, *told) == RequestOrigin(FRONT, "http", "inside")
    assert origin(FRONT) == RequestOrigin(FRONT, "http", "")


@pytest.mark.parametrize("text", ["*", "nginx", "10.0.0.1/8", "127.0.0.1:80", ""])
def test_what_is_no_address_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="no front proxy that can be trusted"):
        read_network(text)
