"""From a cell's text to a prompt: text stays text, but for ``{{ name }}``."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.keys import hides_key, looks_like_key
from swsllm_nb.notebook.language import say

__all__ = ["Filled", "Filling", "check_not_empty", "checked_prompt"]

_PLACEHOLDER: Final = re.compile(r"\{\{ ([^\W\d]\w*) \}\}")
_UNFINISHED: Final = re.compile(
    r"^[ \t]*raise NotImplementedError(\(\s*\))?[ \t]*(#.*)?$", re.MULTILINE
)

_FRAMES: Final = ("DataFrame", "Series")
_PREVIEW_ROWS: Final = 10
_PREVIEW_COLUMNS: Final = 20
_PREVIEW_CHARACTERS: Final = 4_000


@dataclass(frozen=True)
class Filled:
    """What a placeholder became. ``part`` says which part of the value it is, where not all."""

    name: str
    text: str
    part: str = ""


@dataclass(frozen=True)
class Filling:
    """Puts values of a namespace into texts, and remembers which. ``key`` is never put in."""

    namespace: Mapping[str, Any]
    key: str

    def fill(self, text: str) -> tuple[str, tuple[Filled, ...]]:
        """The text with each ``{{ name }}`` replaced, and what was put in.

        Values are put in as they are: what stands in them is not looked at again. Raises LLMError
        for a name that is not there and for a value that may hold a key.
        """
        found: dict[str, Filled] = {}

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name not in found:
                found[name] = self._filled(name)
            return found[name].text

        return _PLACEHOLDER.sub(value, text), tuple(found.values())

    def _filled(self, name: str) -> Filled:
        if name not in self.namespace:
            raise LLMError(_unknown_name(name, self.namespace))
        filled = _shown(name, self.namespace[name])
        if looks_like_key(filled.text) or hides_key(filled.text, self.key):
            raise LLMError(
                say(
                    f"What {name} holds looks like a key, and a key does not belong into a prompt, "
                    "so nothing was sent. With --raw the text goes out as it is written.",
                    f"Was {name} enthält, sieht wie ein Schlüssel aus, und der gehört in keinen "
                    "Prompt; es wurde nichts gesendet. Mit --raw geht der Text so hinaus, wie er "
                    "dasteht.",
                )
            )
        return filled


def checked_prompt(text: str, key: str, *, raw: bool) -> str:
    """A text that may be sent. Raises LLMError with a sentence."""
    if not text.strip():
        raise LLMError(
            say(
                "There is no question: the text is empty, so nothing was sent.",
                "Es gibt keine Frage: Der Text ist leer, es wurde nichts gesendet.",
            )
        )
    if raw:
        return text
    if _UNFINISHED.search(text):
        raise LLMError(
            say(
                "The text still holds “raise NotImplementedError()”: write your own question in "
                "its place. Nothing was sent; --raw would send it as it is.",
                "Im Text steht noch „raise NotImplementedError()“: Schreibe an seine Stelle deine "
                "eigene Frage. Es wurde nichts gesendet; --raw sendet ihn so, wie er ist.",
            )
        )
    if looks_like_key(text) or hides_key(text, key):
        raise LLMError(
            say(
                "Something in the text looks like a key, and a key does not belong into a prompt, "
                "so nothing was sent. Take it out; if it is none, --raw sends the text as it is.",
                "Etwas im Text sieht wie ein Schlüssel aus, und der gehört in keinen Prompt; es "
                "wurde nichts gesendet. Nimm ihn heraus; ist es keiner, sendet --raw den Text so, "
                "wie er ist.",
            )
        )
    return text


def check_not_empty(text: str, filled: Sequence[Filled]) -> None:
    """Raises LLMError where nothing is left of a question once it is filled."""
    if not text.strip():
        names = ", ".join(f"{{{{ {each.name} }}}}" for each in filled)
        raise LLMError(
            say(
                f"There is no question: nothing stands in {names}, so nothing was sent.",
                f"Es gibt keine Frage: In {names} steht nichts, es wurde nichts gesendet.",
            )
        )


def _unknown_name(name: str, namespace: Mapping[str, Any]) -> str:
    known = [each for each in namespace if not each.startswith("_")]
    near = get_close_matches(name, known, n=3)
    there_is = ", ".join(near)
    return say(
        f"{{{{ {name} }}}} names a variable that is not there, so nothing was sent."
        + (f" Did you mean {there_is}?" if near else "")
        + " Run the cell that defines it, or send the text as it is with --raw.",
        f"{{{{ {name} }}}} nennt eine Variable, die es nicht gibt; es wurde nichts gesendet."
        + (f" Meintest du {there_is}?" if near else "")
        + " Führe die Zelle aus, die sie anlegt, oder sende den Text mit --raw so, wie er ist.",
    )


def _shown(name: str, value: Any) -> Filled:
    preview = _frame_preview(value)
    if preview is None:
        return Filled(name, value if isinstance(value, str) else str(value))
    return Filled(name, *preview)


def _frame_preview(value: Any) -> tuple[str, str] | None:
    """The beginning of a pandas frame or series as CSV, and how much of it that is."""
    # Duck-typed: pandas is heavy, and who has no frame has not imported it.
    kind = type(value)
    if kind.__module__.partition(".")[0] != "pandas" or kind.__name__ not in _FRAMES:
        return None
    frame = value.to_frame() if kind.__name__ == "Series" else value
    rows, columns = frame.shape
    write: Callable[..., str] = frame.iloc[:_PREVIEW_ROWS, :_PREVIEW_COLUMNS].to_csv
    text = write(index=not _is_counted(frame))
    cut = len(text) > _PREVIEW_CHARACTERS
    part = say(
        f"the first {min(rows, _PREVIEW_ROWS)} of {rows:,} rows, "
        f"{min(columns, _PREVIEW_COLUMNS)} of {columns} columns",
        f"die ersten {min(rows, _PREVIEW_ROWS)} von {rows:,} Zeilen, "
        f"{min(columns, _PREVIEW_COLUMNS)} von {columns} Spalten",
    )
    if rows <= _PREVIEW_ROWS and columns <= _PREVIEW_COLUMNS and not cut:
        part = say(f"all {rows} rows", f"alle {rows} Zeilen")
    if cut:
        text = text[:_PREVIEW_CHARACTERS] + " …\n"
        part += say(
            f", cut at {_PREVIEW_CHARACTERS:,} characters",
            f", nach {_PREVIEW_CHARACTERS:,} Zeichen gekürzt",
        )
    return text, part


def _is_counted(frame: Any) -> bool:
    """Whether the rows are only numbered, so that the numbers are not worth their tokens."""
    return type(frame.index).__name__ == "RangeIndex"
