"""Answers as data: what is asked of a model, and whether its answer keeps to it."""

import json
from collections.abc import Mapping
from typing import Any

from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say

__all__ = ["checked_schema", "parsed", "response_format"]

_NAME_CHARACTERS = 64


def checked_schema(name: str, namespace: Mapping[str, Any]) -> Any:
    """The schema that a variable holds. Raises LLMError."""
    if name not in namespace:
        raise LLMError(
            say(
                f"--schema takes the name of a pydantic model or of a JSON schema, and there is no "
                f"{name!r}. Run the cell that defines it; nothing was sent.",
                f"--schema nimmt den Namen eines Pydantic-Modells oder JSON-Schemas, und {name!r} "
                "gibt es nicht. Führe die Zelle aus, die es anlegt; es wurde nichts gesendet.",
            )
        )
    return namespace[name]


def response_format(schema: Any, *, plain: bool) -> dict[str, Any] | None:
    """The request's field: a JSON schema, a JSON object where only ``plain``, or None for text.

    Every object of a pydantic model's schema is closed and all its fields are required, as
    OpenAI's strict mode asks (platform.openai.com/docs/guides/structured-outputs).
    Raises LLMError for what is no schema.
    """
    if schema is None:
        return {"type": "json_object"} if plain else None
    if _is_pydantic(schema):
        name, told = schema.__name__, _closed(schema.model_json_schema())
    elif isinstance(schema, Mapping):
        name, told = str(schema.get("title") or "answer"), dict(schema)
    else:
        raise LLMError(
            say(
                "A schema is a pydantic model or a JSON schema as a dict, and "
                f"{type(schema).__name__} is neither, so nothing was sent.",
                f"Ein Schema ist ein Pydantic-Modell oder ein JSON-Schema als dict, und "
                f"{type(schema).__name__} ist keins davon; es wurde nichts gesendet.",
            )
        )
    spelled = "".join(each if each.isalnum() and each.isascii() else "_" for each in name)
    described = {"name": spelled[:_NAME_CHARACTERS], "schema": told, "strict": True}
    return {"type": "json_schema", "json_schema": described}


def parsed(text: str, schema: Any) -> Any:
    """The answer as data: of a pydantic model an instance, else what its JSON says.

    Raises LLMError where it is no JSON, or does not keep to the schema. The text is not lost by
    that: the caller has it.
    """
    try:
        return _validated(text, schema)
    except ValueError as error:
        (line, *_) = str(error).splitlines() or [""]
        raise LLMError(
            say(
                f"The answer is not the JSON that was asked for ({line[:200]}). It was paid for "
                "and is in swsllm_nb.last(); ask again, or raise --max-tokens if it was cut.",
                f"Die Antwort ist nicht das verlangte JSON ({line[:200]}). Sie ist bezahlt und "
                "steht in swsllm_nb.last(); frage noch einmal, oder erhöhe --max-tokens, falls "
                "sie abgeschnitten wurde.",
            )
        ) from None


def _validated(text: str, schema: Any) -> Any:
    if _is_pydantic(schema):
        return schema.model_validate_json(text)
    document = json.loads(text)
    if schema is not None:
        from jsonschema import ValidationError, validate

        try:
            validate(document, schema)
        except ValidationError as error:
            raise ValueError(error.message) from None
    return document


def _is_pydantic(schema: Any) -> bool:
    return isinstance(schema, type) and hasattr(schema, "model_json_schema")


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed: dict[str, Any] = {}
    for word, value in schema.items():
        if word in ("properties", "$defs"):
            closed[word] = {name: _closed(each) for name, each in value.items()}
        elif word != "default":
            closed[word] = _closed(value)
    if "properties" in closed:
        closed["additionalProperties"] = False
        closed["required"] = list(closed["properties"])
    return closed
