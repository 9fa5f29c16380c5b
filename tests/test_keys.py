"""What is a key, and what only looks a little like one."""

import time

import pytest

from swsllm_nb.notebook.keys import hides_key, looks_like_key, scrub
from swsllm_nb.proxy.auth import new_key

KEYS = [
    "sk-marked-0123456789abcdef",
    "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8xYz-1bC4eF7hI0kL3nO6qR9tU2wX5zA8cD1fG4iJ",
    "sk-svcacct-Zy9xWv8uTs7rQp6oNm5lKj4iHg3fEd2cBa1",
    "sk-admin-Ab3dEf6hIj9lMn2pQr5tUv8x",
    "sk-ant-api03-Ab3dEf6hIj9lMn2pQr5tUv8xYz1bC4eF7h",
    "sk-or-v1-" + "0f" * 32,
    "sk-" + "aB3" * 16,
    "sws-" + "b7K" * 13 + "q",
    "hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345",
    "ghp_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "Bearer abcdef0123456789abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x",
]

NO_KEYS = [
    "https://service.example/sws-llm-proxy/",
    "sk-learn",
    "sk-learning-rate",
    "sk-learn-contrib-2024",
    "task-0123456789abcdef",
    "risk-assessment-of-2024-and-2025",
    "What is bearer authentication?",
    "The bearer certificate of 2024",
    "sk-ab…cd",
    "Skat, Ski, sk-",
    "a1b2c3d4e5f6a1b2c3d4e5f6",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_seen_wherever_it_stands_and_taken_out(key: str) -> None:
    secret = key.removeprefix("Bearer ")
    for text in (key, f'KEY="{key}"', f"a, {key}; b", f"https://h/?key={key}&x=1", f"({key})"):
        assert looks_like_key(text)
        assert secret not in scrub(text)


def test_the_keys_that_our_proxy_makes_are_seen() -> None:
    for _ in range(100):
        assert looks_like_key(new_key())


@pytest.mark.parametrize("text", NO_KEYS)
def test_words_are_no_keys(text: str) -> None:
    assert not looks_like_key(text)


def test_the_address_of_the_course_proxy_is_not_scrubbed() -> None:
    address = "https://service.example/sws-llm-proxy/ and sk-learn"
    assert scrub(address) == address


@pytest.mark.parametrize("rest", ["sk-abcde****wxyz", "sk-12345678", "sk-Abcdefgh"])
def test_the_rest_of_a_key_is_scrubbed_though_it_is_no_key(rest: str) -> None:
    assert scrub(f"Incorrect API key provided: {rest}.") == ("Incorrect API key provided: (a key).")
    assert not looks_like_key(rest)


def test_a_key_of_a_server_of_ones_own_is_an_ordinary_word() -> None:
    assert not hides_key("ask ollama about ollama", "ollama")
    assert not hides_key("anything", "")
    assert scrub("no key x in example", "x") == "no key (your key) in example"


def test_the_live_key_is_seen_whatever_it_looks_like() -> None:
    key = "correct-horse-battery-staple"
    assert hides_key(f"it is {key}!", key)
    assert scrub(f"it is {key}!", key) == "it is (your key)!"


def test_a_long_text_is_looked_through_in_no_time() -> None:
    texts = ("sk-" * 300_000, "sk-" + "a" * 1_000_000, "Bearer " * 200_000, "eyJ" * 300_000)
    for text in texts:
        began_at = time.perf_counter()
        assert not looks_like_key(text)
        scrub(text)
        assert time.perf_counter() - began_at < 2
