"""Counting tokens offline, quickly, and never too few."""

import random

import pytest

from swsllm_nb.tokens import count_tokens, o200k_base


def test_known_texts_have_their_known_tokens() -> None:
    assert o200k_base().encode_ordinary("hello world") == [24912, 2375]
    assert o200k_base().encode_ordinary("Hello, world!") == [13225, 11, 2375, 0]


def test_special_tokens_are_counted_as_the_ordinary_text_they_are() -> None:
    assert count_tokens("<|endoftext|>") > 1


@pytest.mark.parametrize("text", [" ", "=", "a", "\n", "ä", "🎈", "a b "])
def test_a_megabyte_of_anything_is_counted(text: str) -> None:
    assert count_tokens(text * (1_000_000 // len(text))) > 0


def test_a_text_counted_in_pieces_never_counts_fewer_than_the_whole() -> None:
    rng = random.Random(1)
    words = ["Straße", "tokenisation", " ", "\n\n", "2026", "=====", "🎈", "don't", "α", "x"]
    for _ in range(20):
        text = "".join(rng.choice(words) for _ in range(20_000))
        assert count_tokens(text) >= len(o200k_base().encode_ordinary(text))


def test_lone_surrogates_are_counted_and_not_an_error() -> None:
    assert count_tokens("\ud800 and more") > 0
