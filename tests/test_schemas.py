"""Answers as data."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, create_model

from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.schemas import checked_schema, parsed, response_format


class Part(BaseModel):
    properties: int = 3
    default: str


class Whole(BaseModel):
    title: str
    parts: list[Part] = []


def test_a_pydantic_model_becomes_a_closed_schema_that_requires_all() -> None:
    told = response_format(Whole, plain=False)
    assert told is not None
    described = told["json_schema"]
    assert (described["name"], described["strict"]) == ("Whole", True)
    schema = described["schema"]
    assert schema["required"] == ["title", "parts"]
    part = schema["$defs"]["Part"]
    assert part["required"] == ["properties", "default"]
    assert (schema["additionalProperties"], part["additionalProperties"]) == (False, False)
    assert "default" not in part["properties"]["properties"]


def test_a_json_schema_goes_out_as_it_is() -> None:
    schema = {"title": "My answer!", "type": "object", "properties": {"a": {"type": "integer"}}}
    told = response_format(schema, plain=False)
    assert told is not None
    assert told["json_schema"]["schema"] == schema
    assert told["json_schema"]["name"] == "My_answer_"


def test_a_json_object_is_asked_for_without_a_schema() -> None:
    assert response_format(None, plain=True) == {"type": "json_object"}
    assert response_format(None, plain=False) is None


def test_an_answer_is_read_as_its_schema_says() -> None:
    whole = parsed('{"title": "t", "parts": [{"properties": 1, "default": "d"}]}', Whole)
    assert whole == Whole(title="t", parts=[Part(properties=1, default="d")])
    assert parsed('{"a": 1}', {"type": "object"}) == {"a": 1}
    assert parsed("[1]", None) == [1]


@pytest.mark.parametrize(
    ("text", "schema"),
    [("{", None), ("oops", Whole), ('{"title": 1}', Whole), ("1", {"type": "object"}), ("", None)],
)
def test_an_answer_that_does_not_keep_to_it_is_one_sentence(text: str, schema: Any) -> None:
    with pytest.raises(LLMError, match="not the JSON that was asked for") as failure:
        parsed(text, schema)
    assert "\n" not in str(failure.value)


def test_what_is_no_schema_is_refused() -> None:
    with pytest.raises(LLMError, match="int is neither"):
        response_format(3, plain=False)
    with pytest.raises(LLMError, match="there is no 'Wohle'"):
        checked_schema("Wohle", {"Whole": Whole})
    assert checked_schema("Whole", {"Whole": Whole}) is Whole


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "nonsense"}, "type: 'nonsense' is not valid"),
        ({"type": str}, "not JSON serializable"),
        ({"properties": {"a": {"type": 5}}}, "properties.a.type: 5 is not valid"),
        (create_model("Odd", run=(Callable[[int], int], ...)), "Odd"),
    ],
)
def test_a_broken_schema_is_refused_before_anything_is_sent(schema: Any, reason: str) -> None:
    with pytest.raises(LLMError, match="nothing was sent") as failure:
        response_format(schema, plain=False)
    assert reason in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("text", "schema", "place"),
    [
        ('{"title": "t", "parts": [{"properties": "x"}]}', Whole, "parts.0.properties: Input"),
        ('{"a": [1]}', {"properties": {"a": {"items": {"type": "null"}}}}, "a.0: 1 is not"),
        ("1", {"$ref": "#/$defs/none"}, "$ref '/$defs/none'"),
    ],
)
def test_the_place_that_is_not_as_asked_is_named(text: str, schema: Any, place: str) -> None:
    with pytest.raises(LLMError, match="not the JSON that was asked for") as failure:
        parsed(text, schema)
    assert place in str(failure.value)
