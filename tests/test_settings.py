"""Upstreams as they are told at the prompt, and which key goes to which of them."""

import os
from pathlib import Path

import pytest

from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.settings import (
    PRACTICE,
    UpstreamAddress,
    checked_database,
    checked_prefix,
    checked_public_url,
    read_secret,
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


def test_a_key_may_lie_in_a_file_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-1\n")
    (one,) = read_upstreams([OPENAI], {"SWSLLM_UPSTREAM_KEY_FILE": str(tmp_path / "key")})
    assert one.key == "sk-1"
    (tmp_path / "secret").write_text("1:of at least thirty-two characters\n")
    in_file = read_secret(tmp_path / "none", {"SWSLLM_SECRET_FILE": str(tmp_path / "secret")})
    assert in_file == Secret.of_text("1:of at least thirty-two characters")


def test_a_secret_in_two_places_or_in_none_of_those_named_is_refused(tmp_path: Path) -> None:
    for environ, sentence in (
        ({"SWSLLM_UPSTREAM_KEY": "sk-1", "SWSLLM_UPSTREAM_KEY_FILE": "x"}, "keep one of them"),
        ({"SWSLLM_UPSTREAM_KEY_FILE": str(tmp_path / "x")}, "cannot be read"),
        ({"SWSLLM_UPSTREAM_KEY_FILE": os.devnull}, "is empty"),
    ):
        with pytest.raises(ValueError, match=sentence) as refused:
            read_upstreams([OPENAI], environ)
        assert "sk-1" not in str(refused.value)
    with pytest.raises(ValueError, match="choose another name"):
        read_upstreams([f"my-file={OPENAI}"], {})


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://LLM.example.org/sws-llm-proxy/", "https://llm.example.org/sws-llm-proxy"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://llm.example.org/a/b.c", "https://llm.example.org/a/b.c"),
        (None, None),
    ],
)
def test_a_public_url_has_no_slash_at_its_end(url: str | None, checked: str | None) -> None:
    assert checked_public_url(url) == checked


@pytest.mark.parametrize(
    "url",
    ["llm.example.org", "ftp://a.example", "https://", "https://ada:pw@a.example", "https://a/?b",
     "https://a/#b", "https://[::1", "https://a/b c", "https://a:99999/", "https://a/%2e"],
)  # fmt: skip
def test_what_is_no_public_url_is_refused_in_words(url: str) -> None:
    with pytest.raises(ValueError, match=r"such as|must look like"):
        checked_public_url(url)


def test_the_prefix_is_the_path_of_the_public_url() -> None:
    assert checked_prefix(None, "https://a.example/course") == "/course"
    assert checked_prefix("/course/", "https://a.example/course") == "/course"
    assert checked_prefix("/course/", None) == "/course"
    assert checked_prefix(None, None) == ""
    with pytest.raises(ValueError, match="is not the path '/course' of the public URL"):
        checked_prefix("/curse", "https://a.example/course")
    with pytest.raises(ValueError, match="must look like"):
        checked_prefix("course", None)
