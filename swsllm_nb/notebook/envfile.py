"""The ``.env`` file: where it is, what it says, and how it says something else."""

import io
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from swsllm_nb.notebook.errors import LLMError, NotConnected
from swsllm_nb.notebook.language import say

__all__ = ["ENV", "nearest_env_file", "read_env_file", "update_env_file", "what_to_paste"]

ENV: Final = ".env"

_NEEDS_NO_QUOTES: Final = re.compile(r"[\w.:/@%+~=?&-]+", re.ASCII)


def nearest_env_file(start_folder: Path) -> Path | None:
    """The ``.env`` of a folder, or of the nearest one above it that has one."""
    start = start_folder.absolute()
    candidates = (folder / ENV for folder in (start, *start.parents))
    return next((path for path in candidates if path.is_file()), None)


def read_env_file(path: Path) -> Mapping[str, str]:
    """What it says, but for empty values. Raises NotConnected where it is no text."""
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise NotConnected(f"{_unreadable(path)} {what_to_paste()}") from None
    return {name: value for name, value in values.items() if value}


def update_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Set names in an env file, and leave all other lines as they are.

    It is made if need be, and only its owner may read it then; a link stays one. Raises LLMError
    where it is no text or cannot be written.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    except (OSError, UnicodeDecodeError):
        raise LLMError(_unreadable(path)) from None
    target = Path(os.path.realpath(path))
    try:
        _replace(target, _updated(text, values).encode())
    except OSError as error:
        raise LLMError(
            say(
                f"{target} cannot be written ({error.strerror}), so the key was not kept: move the "
                "notebook into a folder of your own, or ask the teaching staff.",
                f"{target} lässt sich nicht schreiben ({error.strerror}), der Schlüssel ist nicht "
                "gespeichert: Das Notebook gehört in einen eigenen Ordner; sonst das Lehrpersonal "
                "fragen.",
            )
        ) from None


def what_to_paste() -> str:
    """The two lines, and where they go."""
    where = say(
        "Put these two lines into a file named .env beside the notebook, with what your course "
        "page shows, then run the cell again:",
        "Diese zwei Zeilen gehören in eine Datei namens .env neben dem Notebook, mit dem, was die "
        "Kursseite zeigt; dann die Zelle noch einmal ausführen:",
    )
    return f"{where}\nSWSLLM_BASE_URL=https://…\nSWSLLM_API_KEY=…"


def _updated(text: str, values: Mapping[str, str]) -> str:
    """A name that is there more than once is kept once: the last would have counted."""
    from dotenv.parser import parse_stream

    newline = "\r\n" if "\r\n" in text else "\n"
    missing = dict(values)
    lines: list[str] = []
    for binding in parse_stream(io.StringIO(text, newline="")):
        line = binding.original.string
        if binding.key not in values:
            lines.append(line)
            continue
        # The empty lines above a name are parsed as part of it.
        lines.append(line[: len(line) - len(line.lstrip())])
        if binding.key in missing:
            export = "export " if line.lstrip().startswith("export ") else ""
            value = _quoted(missing.pop(binding.key))
            lines.append(f"{export}{binding.key}={value}{newline}")
    if lines and missing and not lines[-1].endswith(("\n", "\r")):
        lines.append(newline)
    return "".join(lines) + "".join(
        f"{name}={_quoted(value)}{newline}" for name, value in missing.items()
    )


def _quoted(value: str) -> str:
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _replace(path: Path, content: bytes) -> None:
    """At once, so that nobody reads half of it; what is written has mode 0600 from the start."""
    with NamedTemporaryFile(dir=path.parent, prefix=ENV, delete=False) as file:
        try:
            file.write(content)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(file.name).unlink()
            raise


def _unreadable(path: Path) -> str:
    return say(f"{path} cannot be read as text.", f"{path} lässt sich nicht als Text lesen.")
