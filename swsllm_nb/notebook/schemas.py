"""Answers as data: what is asked of a model, and whether its answer keeps to it."""

import json
from collections.abc import Iterable, Mapping
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
    Raises LLMError for what is no schema: seen here, it costs nothing.
    """
    if schema is None:
        return {"type": "json_object"} if plain else None
    if _is_pydantic(schema):
        name, told = schema.__name__, _closed(_schema_of_model(schema))
    elif isinstance(schema, Mapping):
        name, told = str(schema.get("title") or "answer"), _valid(schema)
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
        (line, *_) = _what_is_amiss(error).splitlines() or [""]
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
        from referencing.exceptions import Unresolvable

        try:
            validate(document, schema)
        except ValidationError as error:
            raise ValueError(_at(error.absolute_path, error.message)) from None
        except Unresolvable as error:
            raise ValueError(f"$ref {error.ref!r}") from None
    return document


def _what_is_amiss(error: ValueError) -> str:
    """What a pydantic model finds first, where that is what found it."""
    find = getattr(error, "errors", None)
    if find is None:
        return str(error)
    first = find(include_url=False, include_context=False, include_input=False)[0]
    return _at(first["loc"], first["msg"])


def _at(path: Iterable[Any], message: str) -> str:
    place = ".".join(map(str, path))
    return f"{place}: {message}" if place else message


def _schema_of_model(model: Any) -> Any:
    try:
        return model.model_json_schema()
    except Exception as error:
        # Whatever a field's own code raises.
        raise _no_schema(model.__name__, str(error)) from None


def _valid(schema: Mapping[str, Any]) -> dict[str, Any]:
    from jsonschema import SchemaError, validators

    document = dict(schema)
    try:
        json.dumps(document)
        validators.validator_for(document).check_schema(document)
    except SchemaError as error:
        raise _no_schema(
            say("the dict", "dem dict"), _at(error.absolute_path, error.message)
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise _no_schema(say("the dict", "dem dict"), str(error)) from None
    return document


def _no_schema(what: str, reason: str) -> LLMError:
    (line, *_) = reason.splitlines() or [""]
    return LLMError(
        say(
            f"No JSON schema can be made of {what} ({line[:200]}), so nothing was sent.",
            f"Aus {what} wird kein JSON-Schema ({line[:200]}); es wurde nichts gesendet.",
        )
    )


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
