"""What the words after ``%llm NAME`` say, and questions back to whoever wrote them."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from IPython.core.error import StdinNotImplementedError

from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say

__all__ = ["Given", "ask_back", "ask_secret", "taken"]


@dataclass(frozen=True)
class Given:
    """Switches such as ``--clear``, ``--out NAME`` by its name, and the other words."""

    switches: frozenset[str]
    values: Mapping[str, str]
    rest: tuple[str, ...]


def taken(
    name: str,
    words: Sequence[str],
    *,
    switches: Sequence[str] = (),
    values: Sequence[str] = (),
    rest: Sequence[str] = (),
) -> Given:
    """The words, if the command takes them; ``rest`` names those without dashes.

    Raises LLMError with what it takes instead.
    """
    found: set[str] = set()
    told: dict[str, str] = {}
    others: list[str] = []
    coming = iter(words)
    for word in coming:
        if word in switches:
            found.add(word)
        elif word in values:
            told[word] = next(coming, "")
            if not told[word]:
                raise LLMError(_what_it_takes(name, word, switches, values, rest))
        elif not word.startswith("-") and len(others) < len(rest):
            others.append(word)
        else:
            raise LLMError(_what_it_takes(name, word, switches, values, rest))
    return Given(frozenset(found), told, tuple(others))


def ask_back(prompt: str, otherwise: str) -> str:
    """A line that is typed in. Raises LLMError with ``otherwise`` where nobody can type."""
    try:
        return input(prompt).strip()
    except (StdinNotImplementedError, EOFError):
        raise LLMError(otherwise) from None
    except KeyboardInterrupt:
        raise LLMError(_stopped()) from None


def ask_secret(prompt: str, otherwise: str) -> str:
    """As ``ask_back``, for what is not to be seen."""
    try:
        return getpass.getpass(prompt).strip()
    except (StdinNotImplementedError, EOFError):
        raise LLMError(otherwise) from None
    except KeyboardInterrupt:
        raise LLMError(_stopped()) from None


def _stopped() -> str:
    return say("Stopped: nothing was changed.", "Angehalten: Es wurde nichts geändert.")


def _what_it_takes(
    name: str,
    word: str,
    switches: Sequence[str],
    values: Sequence[str],
    rest: Sequence[str],
) -> str:
    known = [*rest, *switches, *(f"{value} …" for value in values)]
    takes = ", ".join(known) or say("no further word", "kein weiteres Wort")
    return say(
        f"%llm {name} does not take “{word}” like that; it takes: {takes}.",
        f"%llm {name} kennt „{word}“ so nicht; es kennt: {takes}.",
    )
