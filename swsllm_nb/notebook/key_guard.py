"""A word, once, where the key might be published: by git, or with the notebook."""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.git import is_ignored, is_tracked
from swsllm_nb.notebook.keys import hides_key
from swsllm_nb.notebook.language import say

__all__ = ["notebook_file", "warn_about_key", "warnings_about_key"]

_LARGEST_NOTEBOOK_BYTES: Final = 50_000_000


def notebook_file(namespace: Mapping[str, Any], environ: Mapping[str, str]) -> Path | None:
    """The file of the notebook that runs, where its front end tells it and it is there."""
    told = namespace.get("__vsc_ipynb_file__") or environ.get("JPY_SESSION_NAME")
    path = Path(str(told)) if told else None
    return path if path and path.suffix == ".ipynb" and path.is_file() else None


def warn_about_key(
    connection: Connection, env_path: Path | None, namespace: Mapping[str, Any]
) -> threading.Thread:
    """Looks in the background, and writes a line to stderr for each place where it might be."""

    def look() -> None:
        path = notebook_file(namespace, os.environ)
        inputs = [text for text in namespace.get("In", ()) if isinstance(text, str)]
        for warning in warnings_about_key(connection, env_path, path, inputs):
            sys.stderr.write(f"{warning}\n")

    thread = threading.Thread(target=look, name="swsllm-key-guard", daemon=True)
    thread.start()
    return thread


def warnings_about_key(
    connection: Connection,
    env_path: Path | None,
    notebook_path: Path | None,
    inputs: Sequence[str],
) -> list[str]:
    """A sentence, with the fix, for each place where the key might be published.

    ``env_path`` is the file that holds it, where one does; ``inputs`` are the cells that ran.
    Takes seconds at most, and never fails.
    """
    found = (
        _about_git(env_path) if env_path and env_path.is_file() else None,
        _about_notebook(connection.key, notebook_path) or _about_inputs(connection.key, inputs),
    )
    return [warning for warning in found if warning]


def _about_git(env_path: Path) -> str | None:
    if is_ignored(env_path) is not False:
        return None
    ignoring = env_path.parent / ".gitignore"
    name = env_path.name
    if is_tracked(env_path):
        return say(
            f"{env_path} holds your key, and git keeps it already: run git rm --cached {name}, add "
            f"the line {name} to {ignoring}, and replace the key on the course page.",
            f"{env_path} enthält den Schlüssel, und git hat die Datei schon: git rm --cached "
            f"{name} ausführen, die Zeile {name} in {ignoring} ergänzen und den Schlüssel auf der "
            "Kursseite ersetzen.",
        )
    return say(
        f"{env_path} holds your key, and git does not ignore it: add the line {name} to "
        f"{ignoring}, so that the key is not published.",
        f"{env_path} enthält den Schlüssel, und git ignoriert die Datei nicht: die Zeile {name} in "
        f"{ignoring} ergänzen, damit der Schlüssel nicht veröffentlicht wird.",
    )


def _about_notebook(key: str, path: Path | None) -> str | None:
    try:
        if path is None or path.stat().st_size > _LARGEST_NOTEBOOK_BYTES:
            return None
        text = path.read_text("utf-8")
        if not hides_key(text, key):
            return None
        number, part = next(_places(key, json.loads(text)), (0, ""))
    except (OSError, ValueError, RecursionError, AttributeError, TypeError):
        return None
    cell = say(f"in cell {number} ({part})", f"in Zelle {number} ({part})") if number else ""
    return say(
        f"Your key stands in {path.name} {cell}".rstrip() + f": {_delete_it()}",
        f"Der Schlüssel steht in {path.name} {cell}".rstrip() + f": {_delete_it()}",
    )


def _about_inputs(key: str, inputs: Sequence[str]) -> str | None:
    number = next((at for at, text in enumerate(inputs) if hides_key(text, key)), None)
    if number is None:
        return None
    return say(
        f"Your key stands in a cell that ran as In[{number}]: {_delete_it()}",
        f"Der Schlüssel steht in einer Zelle, die als In[{number}] lief: {_delete_it()}",
    )


def _delete_it() -> str:
    return say(
        "put it into .env (%llm login does), delete it there, save, and replace it on the course "
        "page if others may have seen it.",
        "ihn in .env ablegen (%llm login tut es), dort löschen, speichern und auf der Kursseite "
        "ersetzen, falls andere ihn gesehen haben können.",
    )


def _places(key: str, notebook: Any) -> Iterator[tuple[int, str]]:
    """The cells that hold the key, numbered from 1, each with the part that does."""
    parts = (("source", say("its text", "ihr Text")), ("outputs", say("its output", "Ausgabe")))
    for number, cell in enumerate(notebook["cells"], start=1):
        for name, told in parts:
            if hides_key(json.dumps(cell.get(name, "")), key):
                yield number, told
