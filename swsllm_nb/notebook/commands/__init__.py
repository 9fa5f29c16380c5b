"""The words of ``%llm``: each a function of the desk and of the words that follow it."""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, TypeAlias

from swsllm_nb.notebook.commands import (
    budget,
    burndown,
    doctor,
    explain,
    log,
    login,
    models,
    settings,
    statement,
    status,
    talk,
)
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say

__all__ = ["run"]

Command: TypeAlias = Callable[[Desk, Sequence[str]], None]


@dataclass(frozen=True)
class _Word:
    """``german`` is its line in ``%llm help``; the English one begins the command's docstring."""

    command: Command
    german: str

    @property
    def summary(self) -> str:
        return say((self.command.__doc__ or "").partition("\n")[0], self.german)


_WORDS: Final[Mapping[str, _Word]] = {
    "status": _Word(
        status.show, "Wohin Aufrufe gehen, mit welchem Schlüssel, an welches Modell, was übrig ist."
    ),
    "models": _Word(
        models.show,
        "Die Modelle: Preis, Grenzen, letzter Tag und Nachfolger, und was sie nicht kennen.",
    ),
    "login": _Word(login.log_in, "Fragt nach Adresse und Schlüssel, prüft sie und schreibt .env."),
    "set": _Word(
        settings.choose,
        "Vorgaben dieses Notebooks, etwa model=gpt-4o temperature=0; NAME= nimmt eine zurück.",
    ),
    "chats": _Word(talk.show_chats, "Die Gespräche dieses Notebooks, mit Runden und Tokens."),
    "forget": _Word(talk.forget, "Vergisst die genannten Gespräche, oder alle."),
    "context": _Word(
        talk.show_context,
        "Jede Nachricht, die ein Gespräch wieder sendet, mit ihrem Anteil am nächsten Preis.",
    ),
    "log": _Word(
        log.show,
        "Alle Aufrufe als Tabelle; --notebook nur von diesem; --clear löscht alle, nach Rückfrage.",
    ),
    "budget": _Word(
        budget.show,
        "Bewilligt, ausgegeben, gehalten, übrig, wie der Proxy es sagt; sagt er nichts, tippt man "
        "USD ein.",
    ),
    "burndown": _Word(
        burndown.show,
        "Ein Bild davon, was vom Budget übrig ist; --by model, exercise oder source: wofür.",
    ),
    "explain": _Word(
        explain.show,
        "Der letzte Fehler in einfachen Worten; --ask fragt das Modell und nennt vorher den Preis.",
    ),
    "statement": _Word(
        statement.show,
        "Ein Text zur Abgabe über die aufgezeichnete KI-Nutzung; --out NAME.md schreibt ihn.",
    ),
    "doctor": _Word(
        doctor.show, "Prüft Schlüssel, .env, Proxy, Uhr, Konto, Modell und Protokoll; --fix hilft."
    ),
}


def run(desk: Desk, line: str) -> None:
    """Do what a ``%llm`` line says; an empty one is ``status``. Raises LLMError."""
    try:
        name, *words = shlex.split(line) or ["status"]
    except ValueError:
        raise LLMError(
            say(
                "A quotation mark on the %llm line is not closed.",
                "Ein Anführungszeichen in der %llm-Zeile ist nicht geschlossen.",
            )
        ) from None
    if name in ("help", "-h", "--help"):
        _help()
        return
    word = _WORDS.get(name)
    if word is None:
        raise LLMError(_unknown(name, line.strip()))
    word.command(desk, words)


def _help() -> None:
    sys.stdout.write("".join(f"%llm {name:<10} {word.summary}\n" for name, word in _WORDS.items()))


def _unknown(name: str, line: str) -> str:
    near = get_close_matches(name, _WORDS, n=1)
    meant = f"%llm {near[0]}" if near else ""
    return say(
        f"%llm does not know “{line}”."
        + (f" Did you mean {meant}?" if meant else "")
        + " To ask a question, write %%llm on the first line of a cell of its own, and the "
        f"question below it; %llm takes: {', '.join(_WORDS)}.",
        f"%llm kennt „{line}“ nicht."
        + (f" Meintest du {meant}?" if meant else "")
        + " Für eine Frage steht %%llm allein in der ersten Zeile einer Zelle, und die Frage "
        f"darunter; %llm kennt: {', '.join(_WORDS)}.",
    )
