"""What a question may be told."""

import json
from dataclasses import fields
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.options import Options, parse_setting


def test_several_models_are_parted_by_commas_or_listed() -> None:
    assert Options.of(model="a, b,a").models == ("a", "b")
    assert Options.of(model=["a", "b"]).models == ("a", "b")
    assert Options.of().models is None


@pytest.mark.parametrize("amount", ["0.01", 0.01, Decimal("0.01")])
def test_an_amount_is_exact_however_it_is_written(amount: Any) -> None:
    assert Options.of(max_cost=amount).max_cost_pico == 10**10


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"max_cost": "much"}, "amount in dollars"),
        ({"max_cost": -1}, "amount in dollars"),
        ({"max_cost": float("nan")}, "amount in dollars"),
        ({"temperature": float("inf")}, "to be a number"),
        ({"top_p": "high"}, "to be a number"),
        ({"temperature": True}, "to be a number"),
        ({"max_tokens": 0}, "whole number from 1 on"),
        ({"seed": 1.5}, "seed is a whole number"),
        ({"system": 5}, "system is a text"),
        ({"chat": 5}, "chat is a text"),
        ({"stream": "no"}, "stream is True or False"),
        ({"max_tokens": "7"}, "whole number from 1 on"),
        ({"model": 3}, "model takes a text"),
        ({"model": ""}, "model takes a text"),
        ({"model": "a,,b"}, "model takes a text"),
        ({"stop": [1]}, "stop takes a text"),
    ],
)
def test_what_is_no_option_is_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(LLMError, match=sentence):
        Options.of(**given)


def test_numbers_of_numpy_are_numbers() -> None:
    told = Options.of(
        temperature=np.float32(0.5), seed=np.int64(3), max_tokens=np.int32(9), top_p=1
    )
    sent = json.dumps([told.temperature, told.seed, told.max_tokens, told.top_p])
    assert sent == "[0.5, 3, 9, 1]"


@pytest.mark.parametrize("amount", ["0,01", "$0.01", np.float64(0.01)])
def test_an_amount_may_be_written_as_half_of_europe_does(amount: Any) -> None:
    assert Options.of(max_cost=amount).max_cost_pico == 10**10


def test_what_a_cell_says_goes_before_what_was_set() -> None:
    settings = Options.of(temperature=1, seed=3, stream=False)
    told = Options.of(temperature=0).over(settings)
    assert (told.temperature, told.seed, told.stream) == (0, 3, False)


def test_every_setting_is_read_as_on_the_line_of_a_cell() -> None:
    assert parse_setting("top-p", "0.5") == {"top_p": 0.5}
    assert parse_setting("presence-penalty", "-1") == {"presence_penalty": -1.0}
    assert parse_setting("quiet", "on") == {"quiet": True}
    assert parse_setting("stream", "off") == {"stream": False}
    for name, value in (("quiet", "yes"), ("temperature", "warm"), ("seed", "1.5")):
        with pytest.raises(LLMError, match=value):
            parse_setting(name, value)


def test_the_function_takes_what_the_line_takes() -> None:
    from inspect import signature

    from swsllm_nb import ask

    own = {"models": "model", "max_cost_pico": "max_cost"}
    names = {own.get(field.name, field.name) for field in fields(Options)}
    assert set(signature(ask).parameters) == names - {"quiet"} | {"prompt"}
