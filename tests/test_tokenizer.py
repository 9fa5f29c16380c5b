"""Counting tokens offline, quickly, and never too few."""

import random
import time

import pytest

from swsllm_nb.tokenizer import count_tokens, o200k_base


def test_known_texts_have_their_known_tokens() -> None:
    assert o200k_base().encode_ordinary("hello world") == [24912, 2375]
    assert o200k_base().encode_ordinary("Hello, world!") == [13225, 11, 2375, 0]


@pytest.mark.parametrize("text", ["= ", "a" + "=" * 19_998 + " ", "a'" * 9_999 + "= "])
def test_four_megabytes_without_a_place_to_cut_are_counted_soon(text: str) -> None:
    o200k_base()
    began = time.thread_time()
    assert count_tokens(text * (4_000_000 // len(text))) > 0
    assert time.thread_time() - began < 5  # what searches every place takes three times as long


def test_what_follows_a_text_without_a_place_to_cut_is_counted_and_not_weighed() -> None:
    follows = "and then some words\n" * 20_000
    whole = count_tokens(follows)
    assert whole < count_tokens("=" * 30_000 + follows) < whole + 80_000


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
