"""The words of ``%llm``: each a function of the desk and of the words that follow it."""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final, TypeAlias

from swsllm_nb.notebook.commands import log, settings, status, talk
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say

__all__ = ["run"]

Command: TypeAlias = Callable[[Desk, Sequence[str]], None]

_COMMANDS: Final[Mapping[str, Command]] = {
    "status": status.show,
    "log": log.show,
    "set": settings.choose,
    "chats": talk.show_chats,
    "forget": talk.forget,
    "context": talk.show_context,
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
    command = _COMMANDS.get(name)
    if command is None:
        raise LLMError(_unknown(name, line.strip()))
    command(desk, words)


def _help() -> None:
    for name, command in _COMMANDS.items():
        summary = (command.__doc__ or "").partition("\n")[0]
        sys.stdout.write(f"%llm {name:<10} {summary}\n")


def _unknown(name: str, line: str) -> str:
    near = get_close_matches(name, _COMMANDS, n=1)
    meant = f"%llm {near[0]}" if near else ""
    return say(
        f"%llm does not know “{line}”."
        + (f" Did you mean {meant}?" if meant else "")
        + " To ask a question, write %%llm on the first line of a cell of its own, and the "
        f"question below it; %llm takes: {', '.join(_COMMANDS)}.",
        f"%llm kennt „{line}“ nicht."
        + (f" Meintest du {meant}?" if meant else "")
        + " Für eine Frage steht %%llm allein in der ersten Zeile einer Zelle, und die Frage "
        f"darunter; %llm kennt: {', '.join(_COMMANDS)}.",
    )
