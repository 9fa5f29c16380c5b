"""Upstreams as they are told at the prompt, and which key goes to which of them."""

import pytest

from swsllm_nb.proxy.settings import (
    PRACTICE,
    UpstreamAddress,
    checked_database,
    read_upstreams,
)

OPENAI = "https://api.openai.com/v1"
OTHER = "http://127.0.0.1:11434/v1"


def test_an_only_upstream_is_named_after_its_host_and_has_the_key() -> None:
    assert read_upstreams([OPENAI], {"SWSLLM_UPSTREAM_KEY": "sk-1"}) == (
        UpstreamAddress("api.openai.com", OPENAI, "sk-1"),
    )


def test_each_of_several_has_its_own_key_and_never_anothers() -> None:
    told = [f"openai={OPENAI}", f"my-other={OTHER}"]
    keys = {"SWSLLM_UPSTREAM_KEY": "sk-1", "SWSLLM_UPSTREAM_KEY_MY_OTHER": "sk-2"}
    assert [one.key for one in read_upstreams(told, keys)] == ["sk-1", "sk-2"]
    assert [one.key for one in read_upstreams(told[::-1], keys)] == ["sk-2", None]
    assert [one.key for one in read_upstreams(told, {"SWSLLM_UPSTREAM_KEY": "sk-1"})] == [
        "sk-1",
        None,
    ]
    assert [one.name for one in read_upstreams(told, {})] == ["openai", "my-other"]
    assert "sk-1" not in repr(read_upstreams(told, keys))


def test_an_address_with_an_equals_sign_is_no_name() -> None:
    (read,) = read_upstreams([f"{OPENAI}?a=https://b.example"], {})
    assert read.name == "api.openai.com"


def test_the_practice_model_stands_alone() -> None:
    assert read_upstreams(["practice"], {"SWSLLM_UPSTREAM_KEY": "sk-1"}) == (PRACTICE,)
    with pytest.raises(ValueError, match="cannot stand beside others"):
        read_upstreams(["practice", OPENAI], {})
    with pytest.raises(ValueError, match="Only the practice model has the name"):
        read_upstreams([f"practice={OPENAI}"], {})


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (["practise"], "neither 'practice' nor an address"),
        (["ftp://a.example"], "neither 'practice' nor an address"),
        (["a=nonsense"], "neither 'practice' nor an address"),
        (["http://[::1"], "neither 'practice' nor an address"),
        ([OPENAI, OPENAI], "have the name 'api.openai.com'"),
        ([f"a={OPENAI}", f"a={OTHER}"], "have the name 'a'"),
        (["https://ada:pass@a.example"], "no user or key in it"),
    ],
)
def test_what_is_no_upstream_is_refused_in_words(told: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        read_upstreams(told, {})
    assert "pass" not in str(refused.value)


@pytest.mark.parametrize("password", ["ses/ame", "ses#ame", "ses?ame", "ses[ame"])
def test_a_password_that_breaks_its_address_is_not_shown(password: str) -> None:
    with pytest.raises(ValueError, match="cannot be read") as refused:
        checked_database(f"postgresql://teacher:{password}@127.0.0.1/course")
    assert "ame" not in str(refused.value).replace("name", "")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://teacher:ses%2Fame@127.0.0.1:5432/course?sslmode=require",
        "postgresql://postgres@/course?host=/run/postgresql",
        "postgres://a.example,b.example/course",
        None,
    ],
)
def test_an_address_of_a_database_is_taken_as_it_is(url: str | None) -> None:
    assert checked_database(url) == url
