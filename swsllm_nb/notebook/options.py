"""What a question may be told: the ``%%llm`` line, ``ask()``'s keywords and ``%llm set`` alike."""

import shlex
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from keyword import iskeyword
from math import isfinite
from typing import Any, Final, Protocol, Self, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser, argument

from swsllm_nb.money import pico_from_usd
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say

__all__ = ["Options", "checked_name", "parse_line", "parse_setting", "with_manual"]

_Method = TypeVar("_Method", bound=Callable[..., Any])


class _Decorator(Protocol):
    def __call__(self, method: _Method, /) -> _Method: ...


_TYPOGRAPHIC_QUOTES: Final = str.maketrans(dict.fromkeys("“”„«»", '"'))

# IPython's own carry no types.
_option: Callable[..., _Decorator] = argument
_parser: Callable[[str], ArgumentParser] = MagicArgumentParser


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was chosen for a question; None is what was not, and left to the settings.

    ``schema`` is a pydantic model or a JSON schema. ``max_cost_pico`` is in pico-dollars.
    """

    models: tuple[str, ...] | None = None
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    reasoning_effort: str | None = None
    json: bool | None = None
    schema: Any = None
    chat: str | None = None
    new: bool | None = None
    stream: bool | None = None
    estimate: bool | None = None
    max_cost_pico: int | None = None
    exercise: str | None = None
    raw: bool | None = None
    quiet: bool | None = None

    @classmethod
    def of(cls, **given: Any) -> Self:
        """Options as people give them. Raises LLMError, with a sentence, for what is none."""
        chosen = dict(given)
        chosen["models"] = _several(chosen.pop("model", None), "model", parted_by=",")
        chosen["stop"] = _several(chosen.get("stop"), "stop")
        max_cost = chosen.pop("max_cost", None)
        chosen["max_cost_pico"] = None if max_cost is None else _cost_pico(max_cost)
        for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
            _check_number(name, chosen.get(name))
        _check_max_tokens(chosen.get("max_tokens"))
        return cls(**chosen)

    def over(self, settings: "Options") -> "Options":
        """These, and where nothing was chosen what the settings say."""
        unset = {
            field.name: getattr(settings, field.name)
            for field in fields(self)
            if getattr(self, field.name) is None
        }
        return replace(self, **unset)


def _number(text: str) -> float:
    """A number, also with the comma that half of Europe writes."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ArgumentTypeError(
            say(f"{text!r} is no number, such as 0.5", f"{text!r} ist keine Zahl wie 0.5")
        ) from None


_MANUAL: Final[Sequence[tuple[Sequence[str], Mapping[str, Any]]]] = (
    (("-m", "--model"), {"help": "The model, by snapshot or short name, such as gpt-4o-mini; "
     "several, parted by commas, answer side by side."}),
    (("-s", "--system"), {"help": "What the model is told about its role; quote several words."}),
    (("-t", "--temperature"), {"type": _number,
     "help": "0 for the likeliest words, up to 2 for chance."}),
    (("--top-p",), {"type": _number, "metavar": "P",
     "help": "Only the likeliest words, up to this share of all chance: 0 to 1."}),
    (("--max-tokens",), {"type": int, "metavar": "N", "help": "The longest answer, in tokens."}),
    (("--presence-penalty",), {"type": _number, "metavar": "X",
     "help": "Above 0 new subjects are likelier, below 0 old ones: -2 to 2."}),
    (("--frequency-penalty",), {"type": _number, "metavar": "X",
     "help": "Above 0 words are repeated less, below 0 more: -2 to 2."}),
    (("--seed",), {"type": int, "metavar": "N",
     "help": "The same number gives the same answer, as far as the model can."}),
    (("--stop",), {"action": "append", "metavar": "TEXT",
     "help": "The answer ends before this text; may be repeated."}),
    (("--reasoning-effort",), {"metavar": "EFFORT",
     "help": "How long a reasoning model thinks: low, medium or high. Its thoughts are paid for."}),
    (("--json",), {"action": "store_const", "const": True,
     "help": "The answer is a JSON object; .json is it. Say in the question which one."}),
    (("--schema",), {"metavar": "NAME",
     "help": "A pydantic model or JSON schema of that name, which the answer follows."}),
    (("-c", "--chat"), {"metavar": "NAME",
     "help": "Goes on with the conversation of that name; without it nothing earlier is sent."}),
    (("--new",), {"action": "store_const", "const": True,
     "help": "Begins the conversation of --chat anew."}),
    (("-o", "--out"), {"metavar": "NAME",
     "help": "Keeps the answer in a variable of this name."}),
    (("--no-stream",), {"dest": "stream", "action": "store_const", "const": False,
     "help": "Shows the answer when it is complete."}),
    (("--estimate",), {"action": "store_const", "const": True,
     "help": "Says what the call can cost at most, and sends nothing."}),
    (("--max-cost",), {"metavar": "USD",
     "help": "Refuses the call, unsent, if it could cost more, such as 0.01."}),
    (("--exercise",), {"metavar": "ID", "help": "The exercise that the call is logged for."}),
    (("--raw",), {"action": "store_const", "const": True,
     "help": "Sends the text untouched: {{ name }} stays as it is written."}),
    (("--quiet",), {"action": "store_const", "const": True,
     "help": "Shows nothing; the answer is the cell's value all the same."}),
)  # fmt: skip


def with_manual(method: _Method) -> _Method:
    """The options' manual on a magic, for ``magic_arguments`` to read."""
    for flags, told in reversed(_MANUAL):
        method = _option(*flags, **told)(method)
    return method


def parse_line(parser: ArgumentParser, line: str, hint: str) -> dict[str, Any]:
    """What a line says, by the names of the options. Raises LLMError; ``hint`` ends the sentence
    for words that are no option."""
    parser.allow_abbrev = False  # IPython's constructor does not take it
    try:
        known, unknown = parser.parse_known_args(_words(line))
    except ValueError:
        raise LLMError(
            say(
                "A quotation mark on the %%llm line is not closed; put texts of several words "
                'between two, such as -s "Be brief".',
                "Ein Anführungszeichen in der %%llm-Zeile ist nicht geschlossen; Texte aus "
                'mehreren Wörtern stehen zwischen zweien, etwa -s "Antworte kurz".',
            )
            + f" {hint}"
        ) from None
    except UsageError as error:
        raise LLMError(
            say(
                f"The %%llm line: {error}. %%llm? shows what it takes.",
                f"Die %%llm-Zeile: {error}. %%llm? zeigt, was sie kennt.",
            )
        ) from None
    if unknown:
        words = " ".join(unknown)
        raise LLMError(
            say(
                f"The %%llm line does not take “{words}”; %%llm? shows what it takes.",
                f"Die %%llm-Zeile kennt „{words}“ nicht; %%llm? zeigt, was sie kennt.",
            )
            + f" {hint}"
        )
    return vars(known)


def _words(line: str) -> list[str]:
    """The words of a line; what word processors make of quotation marks counts as such."""
    if '"' not in line:
        line = line.translate(_TYPOGRAPHIC_QUOTES)
    return shlex.split(line, comments=True)


def parse_setting(name: str, value: str) -> dict[str, Any]:
    """One option by its name and a text, such as ``temperature`` and ``0``; switches are on or off.

    Raises LLMError.
    """
    for flags, told in _MANUAL:
        if told.get("action") == "store_const" and f"--{name}" in (*flags, f"--{told.get('dest')}"):
            if value not in ("on", "off"):
                raise LLMError(
                    say(
                        f"{name} is on or off, and {value!r} is neither.",
                        f"{name} ist on oder off, und {value!r} ist keins von beiden.",
                    )
                )
            return {name: value == "on"}
    parser = _parser("%llm set")
    for flags, told in _MANUAL:
        parser.add_argument(*flags, **told)
    try:
        known = vars(parser.parse_args([f"--{name}={value}"]))
    except UsageError as error:
        raise LLMError(f"%llm set {name}: {error}.") from None
    return {field: each for field, each in known.items() if each is not None}


def checked_name(name: str) -> str:
    """The name of a variable that may be written. Raises LLMError."""
    if not name.isidentifier() or iskeyword(name):
        raise LLMError(
            say(
                f"--out takes the name of a variable, and {name!r} cannot be one.",
                f"--out nimmt den Namen einer Variablen, und {name!r} kann keiner sein.",
            )
        )
    return name


def _several(given: Any, name: str, parted_by: str | None = None) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str):
        texts = given.split(parted_by) if parted_by else [given]
    else:
        texts = list(given) if isinstance(given, Sequence) else []
    if parted_by:
        texts = [text.strip() for text in texts if isinstance(text, str)]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise LLMError(
            say(
                f"{name} takes a text, or several, and {given!r} is neither.",
                f"{name} nimmt einen Text oder mehrere, und {given!r} ist keins von beiden.",
            )
        )
    return tuple(dict.fromkeys(texts))


def _cost_pico(usd: Any) -> int:
    try:
        # A float in code is what a person wrote, as its shortest text.
        pico = pico_from_usd(Decimal(repr(usd)) if isinstance(usd, float) else usd)
    except (ValueError, ArithmeticError):
        pico = -1
    if pico < 0:
        raise LLMError(
            say(
                f"--max-cost is an amount in dollars such as 0.01, and {usd!r} is none.",
                f"--max-cost ist ein Betrag in Dollar wie 0.01, und {usd!r} ist keiner.",
            )
        )
    return pico


def _check_number(name: str, value: Any) -> None:
    if value is None or (
        isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    ):
        return
    raise LLMError(
        say(
            f"The {name} is to be a number, and {value!r} is none, so nothing was sent.",
            f"{name} ist eine Zahl, und {value!r} ist keine; es wurde nichts gesendet.",
        )
    )


def _check_max_tokens(count: Any) -> None:
    if count is not None and (type(count) is not int or count < 1):
        raise LLMError(
            say(
                f"The max_tokens are a whole number from 1 on, and {count!r} is none, so nothing "
                "was sent.",
                f"max_tokens ist eine ganze Zahl ab 1, und {count!r} ist keine; es wurde nichts "
                "gesendet.",
            )
        )
