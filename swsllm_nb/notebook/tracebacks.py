"""The student's own part of a traceback, and what of it may be shown to a model."""

import getpass
import linecache
import re
import sys
import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from swsllm_nb.notebook.errors import scrub

__all__ = ["OwnLine", "for_a_model", "own_lines"]

_MOST_LINES: Final = 6
_LINE_CHARACTERS: Final = 200
_MESSAGE_CHARACTERS: Final = 500
_ABOVE: Final = 3
# Not after a word or a bracket: there a slash divides.
_PATH: Final = re.compile(
    r"(?<![\w)\]])(?:[A-Za-z]:|~)?(?:[\\/]{1,2}[^\\/\s'\"<>|:*?]+)+[\\/]{1,2}([^\\/\s'\"<>|:*?]+)"
)
_SHORT_NAME: Final = 3


@dataclass(frozen=True)
class OwnLine:
    """A line of the student's own code on the way to an error: outermost first.

    ``place`` is a cell such as ``In[3]``, or a file's name; ``above`` are the lines before it.
    """

    place: str
    number: int
    text: str
    above: tuple[str, ...]


def own_lines(error: BaseException, shell: Any) -> list[OwnLine]:
    """The lines in cells and in files of the student's, not those of libraries."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return _lines_at(error.filename, error.lineno, error.text or "", shell)
    found = []
    for frame, number in traceback.walk_tb(_trace(error)):
        found += _lines_at(frame.f_code.co_filename, number, "", shell)
    return found


def for_a_model(error: BaseException, lines: list[OwnLine], key: str) -> str:
    """The error and the last of its own lines, without keys, paths and the user's name.

    A few thousand characters at most.
    """
    parts = [
        f"{line.place}, line {line.number}:\n"
        + "".join(f"    {each[:_LINE_CHARACTERS]}\n" for each in line.above)
        + f"--> {line.text[:_LINE_CHARACTERS]}"
        for line in lines[-_MOST_LINES:]
    ]
    message = str(error)[:_MESSAGE_CHARACTERS]
    return _anonymous("\n".join([*parts, f"{type(error).__name__}: {message}"]), key)


def _trace(error: BaseException) -> TracebackType | None:
    return error.__traceback__


def _lines_at(file: str, number: int, known: str, shell: Any) -> list[OwnLine]:
    place = _place(file, shell)
    if place is None:
        return []
    lines = linecache.getlines(file)
    text = (lines[number - 1] if 0 < number <= len(lines) else known).rstrip("\n")
    above = tuple(each.rstrip("\n") for each in lines[max(0, number - 1 - _ABOVE) : number - 1])
    return [OwnLine(place, number, text, above)]


def _place(file: str, shell: Any) -> str | None:
    """None for code that is not the student's."""
    cell = shell.compile.format_code_name(file) if shell else None
    if cell:
        return str(cell[1])
    path = Path(file)
    ours = Path(__file__).parents[1]
    libraries = (*map(Path, {*sysconfig.get_paths().values(), sys.base_prefix}), ours)
    if not path.is_file() or any(path.is_relative_to(folder) for folder in libraries):
        return None
    return path.name


def _anonymous(text: str, key: str) -> str:
    home = str(Path.home())
    text = scrub(text, key).replace(home, "~").replace(home.replace("\\", "\\\\"), "~")
    for name in {Path.home().name, _user()}:
        if len(name) >= _SHORT_NAME:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "user", text)
    return _PATH.sub(r"\1", text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
