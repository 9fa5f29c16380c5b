"""``%llm set``: what every question of this notebook is told, unless its cell says otherwise."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final

from swsllm_nb.money import show_cost
from swsllm_nb.notebook.calls import TEXTS_VARIABLE
from swsllm_nb.notebook.connection import is_address
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import LANGUAGE_VARIABLE, say
from swsllm_nb.notebook.options import Options, parse_setting

__all__ = ["choose", "chosen"]

_PER_CALL: Final = frozenset({"new", "estimate", "out", "schema", "chat"})
_VARIABLES: Final[Mapping[str, tuple[str, tuple[str, str]]]] = {
    "language": (LANGUAGE_VARIABLE, ("de", "en")),
    "log-texts": (TEXTS_VARIABLE, ("on", "off")),
}
"""Settings that live in the environment, with the two values that each may have."""


def choose(desk: Desk, words: Sequence[str]) -> None:
    """Defaults of this notebook, such as model=gpt-4o temperature=0; KEY= takes one back."""
    settings = desk.settings
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise LLMError(
                say(
                    f"%llm set takes NAME=VALUE, such as temperature=0, and “{word}” is none.",
                    f"%llm set nimmt NAME=WERT, etwa temperature=0, und „{word}“ ist keins.",
                )
            )
        name = name.replace("_", "-").lower()
        if name == "base-url":
            desk.base_url = _address(value) if value else None
        elif name in _VARIABLES:
            _set_variable(name, value)
        else:
            settings = _with(settings, name, value)
    desk.settings = settings
    _list(desk)


def _address(text: str) -> str:
    if not is_address(text):
        raise LLMError(
            say(
                "base-url is the address of a server, which begins with http:// or https://.",
                "base-url ist die Adresse eines Servers und beginnt mit http:// oder https://.",
            )
        )
    return text


def _with(settings: Options, name: str, value: str) -> Options:
    field = {"model": "models", "max-cost": "max_cost_pico"}.get(name, name.replace("-", "_"))
    if name in _PER_CALL or field not in {each.name for each in fields(Options)}:
        names = ", ".join(_names())
        raise LLMError(
            say(
                f"%llm set does not know {name}; it takes: {names}.",
                f"%llm set kennt {name} nicht; es kennt: {names}.",
            )
        )
    if not value:
        return replace(settings, **{field: None})
    told = Options.of(**parse_setting(name, value))
    return replace(settings, **{field: getattr(told, field)})


def _set_variable(name: str, value: str) -> None:
    variable, (one, other) = _VARIABLES[name]
    if value not in ("", one, other):
        raise LLMError(
            say(
                f"{name} is {one} or {other}, and {value!r} is neither.",
                f"{name} ist {one} oder {other}, und {value!r} ist keins von beiden.",
            )
        )
    # In the environment, so that it holds in what this notebook starts too.
    if value:
        os.environ[variable] = value
    else:
        os.environ.pop(variable, None)


def _names() -> list[str]:
    own = {"models": "model", "max_cost_pico": "max-cost"}
    names = (own.get(each.name, each.name.replace("_", "-")) for each in fields(Options))
    return [*(name for name in names if name not in _PER_CALL), "base-url", *_VARIABLES]


def chosen(desk: Desk) -> dict[str, str]:
    """What is set in this notebook, by the names that ``%llm set`` takes."""
    told: dict[str, Any] = {
        "base-url": desk.base_url,
        **{name: os.environ.get(variable) for name, (variable, _) in _VARIABLES.items()},
    }
    for each in fields(Options):
        value = getattr(desk.settings, each.name)
        match each.name:
            case "models":
                told["model"] = value and ",".join(value)
            case "max_cost_pico":
                told["max-cost"] = None if value is None else show_cost(value)
            case "stop":
                told["stop"] = value and ", ".join(map(repr, value))
            case name:
                told[name.replace("_", "-")] = value
    return {name: str(value) for name, value in told.items() if value is not None}


def _list(desk: Desk) -> None:
    lines = [f"{name} = {text}\n" for name, text in chosen(desk).items()]
    nothing = say("Nothing is set: the defaults hold.", "Nichts ist gesetzt, die Vorgaben gelten.")
    sys.stdout.write("".join(lines) or f"{nothing}\n")
