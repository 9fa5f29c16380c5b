"""What a question may be told: the ``%%llm`` line, ``ask()``'s keywords and ``%llm set`` alike."""

import re
import shlex
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from keyword import iskeyword
from typing import Any, Final, Protocol, Self, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser, argument

from swsllm_nb.notebook import accepted
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say

__all__ = ["Options", "checked_name", "parse_line", "parse_setting", "with_manual"]

_Method = TypeVar("_Method", bound=Callable[..., Any])


class _Decorator(Protocol):
    def __call__(self, method: _Method, /) -> _Method: ...


_TYPOGRAPHIC_QUOTES: Final = str.maketrans(dict.fromkeys("“”„«»", '"'))

_NUMBERS: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_TEXTS: Final = ("system", "reasoning_effort", "chat", "exercise")
_SWITCHES: Final = ("json", "new", "stream", "estimate", "raw", "quiet")

_DECIMAL_COMMA: Final = re.compile(r"-\d*,\d+")

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
        chosen["models"] = accepted.several(chosen.pop("model", None), "model", parted_by=",")
        chosen["stop"] = accepted.several(chosen.get("stop"), "stop")
        max_cost = chosen.pop("max_cost", None)
        chosen["max_cost_pico"] = (
            None if max_cost is None else accepted.amount_pico(max_cost, "--max-cost")
        )
        chosen["max_tokens"] = accepted.whole_number(chosen.get("max_tokens"), "max_tokens", 1)
        chosen["seed"] = accepted.whole_number(chosen.get("seed"), "seed")
        for accept, names in (
            (accepted.number, _NUMBERS),
            (accepted.text, _TEXTS),
            (accepted.switch, _SWITCHES),
        ):
            chosen |= {name: accept(chosen.get(name), name) for name in names}
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


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(
            say(f"{text!r} is no whole number", f"{text!r} ist keine ganze Zahl")
        ) from None


def _end_of_answer(text: str) -> str:
    """A line cannot hold the end of a line."""
    return text.replace("\\n", "\n").replace("\\t", "\t")


_MANUAL: Final[Sequence[tuple[Sequence[str], Mapping[str, Any]]]] = (
    (("-m", "--model"), {"help": "The model, by snapshot or short name, such as gpt-4o-mini; "
     "several, parted by commas, answer side by side."}),
    (("-s", "--system"), {"help": "What the model is told about its role; quote several words."}),
    (("-t", "--temperature"), {"type": _number,
     "help": "0 for the likeliest words, up to 2 for chance."}),
    (("--top-p",), {"type": _number, "metavar": "P",
     "help": "Only the likeliest words, up to this share of all chance: 0 to 1."}),
    (("--max-tokens",), {"type": _whole, "metavar": "N", "help": "The longest answer, in tokens."}),
    (("--presence-penalty",), {"type": _number, "metavar": "X",
     "help": "Above 0 new subjects are likelier, below 0 old ones: -2 to 2."}),
    (("--frequency-penalty",), {"type": _number, "metavar": "X",
     "help": "Above 0 words are repeated less, below 0 more: -2 to 2."}),
    (("--seed",), {"type": _whole, "metavar": "N",
     "help": "The same number gives the same answer, as far as the model can."}),
    (("--stop",), {"action": "append", "type": _end_of_answer, "metavar": "TEXT",
     "help": r"The answer ends before this text, such as \n; may be repeated."}),
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
                f"The %%llm line: {_said(error)}. %%llm? shows what it takes.",
                f"Die %%llm-Zeile: {_said(error)}. %%llm? zeigt, was sie kennt.",
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
    words = shlex.split(line, comments=True)
    # -1,5 would be taken for an option.
    return [word.replace(",", ".") if _DECIMAL_COMMA.fullmatch(word) else word for word in words]


def _said(error: UsageError) -> str:
    """What argparse says, in the language of whoever reads it."""
    text = str(error).removeprefix("argument ")
    told = {
        "expected one argument": say("a value belongs after it", "danach gehört ein Wert"),
        "ignored explicit argument": say("it takes no value, such as", "kein Wert wie"),
    }
    for english, both in told.items():
        text = text.replace(english, both)
    return text


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
        raise LLMError(f"%llm set {name}: {_said(error)}.") from None
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
