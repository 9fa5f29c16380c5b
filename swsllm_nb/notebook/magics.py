"""``%%llm`` and ``%llm``: parse, ask, show."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from swsllm_nb.notebook.calls import CallLog, Whereabouts, log_path
from swsllm_nb.notebook.course import Course, connect
from swsllm_nb.notebook.errors import (
    CallFailed,
    Interrupted,
    LLMError,
    looks_like_key,
)
from swsllm_nb.notebook.frames import table_html
from swsllm_nb.notebook.shell import explain_openai_errors
from swsllm_nb.notebook.status import status_text

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

    from swsllm_nb.notebook.answer import Answer
    from swsllm_nb.notebook.client import OpenAI

__all__ = ["CourseMagics", "load", "magics_of", "unload"]


_QUESTION_BELOW: Final = "The question goes below the %%llm line."

_Method = TypeVar("_Method", bound=Callable[..., Any])


class _Decorator(Protocol):
    def __call__(self, method: _Method, /) -> _Method: ...


# IPython's own decorators carry no types.
_cell_magic = cast("Callable[[str], _Decorator]", cell_magic)
_line_magic = cast("Callable[[str], _Decorator]", line_magic)
_manual: Callable[[str], _Decorator] = magic_arguments
_option: Callable[..., _Decorator] = argument


@dataclass(frozen=True)
class _Options:
    """A parsed ``%%llm`` line; ``chosen`` goes to ``Course.ask`` as it is."""

    out: str | None
    chosen: Mapping[str, Any]


@magics_class
class CourseMagics(Magics):
    """The magics of one shell, and the course that they ask."""

    def __init__(self, shell: "InteractiveShell") -> None:
        super().__init__(shell)
        self._given: tuple[str | None, str | None] = (None, None)
        self._course: Course | None = None
        self._cell_id = ""
        self._restore_errors: Callable[[], None] | None = None

    @no_var_expand
    @_cell_magic("llm")
    @_manual("%llm")
    @_option("-m", "--model", help="The model, by snapshot or short name, such as gpt-4o-mini.")
    @_option("-s", "--system", help="What the model is told about its role; quote several words.")
    @_option(
        "-t", "--temperature", type=float, help="0 for the likeliest words, up to 2 for chance."
    )
    @_option("--max-tokens", type=int, help="The longest answer, in tokens.")
    @_option("--seed", type=int, help="The same number gives the same answer, as far as it can.")
    @_option("--stop", action="append", help="The answer ends before this text; may be repeated.")
    @_option("-o", "--out", metavar="NAME", help="Keeps the answer in a variable of this name.")
    def ask_cell(self, line: str, cell: str) -> "Answer":
        """Ask a language model; the cell's text is the prompt, sent as it stands.

        The answer appears while it is written, with its cost under it. It is the cell's value:
        ``_``, ``swsllm_nb.last()``, or the variable that ``--out`` names.
        """
        from swsllm_nb.notebook.display import LiveAnswer

        options = self._parse(line)
        # IPython ends every cell with a newline of its own.
        prompt = cell.removesuffix("\n")
        if not prompt.strip():
            raise LLMError("There is no question in this cell: write it below the %%llm line.")
        live = LiveAnswer()
        try:
            answer = self.course().ask(prompt, **options.chosen, source="magic", paint=live.update)
        except (CallFailed, Interrupted) as failure:
            self._show_partial(live, failure.partial)
            raise
        answer.paint(live)
        if options.out:
            self._shell.user_ns[options.out] = answer
        return answer

    @no_var_expand
    @_line_magic("llm")
    def status_line(self, line: str) -> None:
        """Show where calls go, with which key, and what is left.

        ``%llm`` shows the status, ``%llm log`` the frame of every call. A question goes into a
        cell whose own first line is ``%%llm``.
        """
        self._refuse_key(line)
        match line.split():
            case []:
                self._write(status_text(self.course()))
            case ["log"]:
                self._show_log()
            case _:
                raise LLMError(
                    f"%llm does not know “{line.strip()}”: it takes nothing, or log. To ask a "
                    "question, write %%llm on the first line of a cell of its own, and the "
                    "question below it."
                )

    def course(self, base_url: str | None = None, api_key: str | None = None) -> Course:
        """The course of this notebook. What code once gave stays given.

        The environment and ``.env`` are read anew each time, so that a new key needs no restart.
        Raises NotConnected.
        """
        given = (base_url, api_key) if base_url or api_key else self._given
        connection = connect(*given)
        self._given = given
        if self._course is None or self._course.connection != connection:
            self._course = Course(connection, CallLog(log_path(connection)), self._whereabouts)
        return self._course

    def client(self, base_url: str | None = None, api_key: str | None = None) -> "OpenAI":
        """The course's client; from now on its errors are one sentence in this shell."""
        client = self.course(base_url, api_key).client()
        if self._restore_errors is None:
            self._restore_errors = explain_openai_errors(self._shell, self._live_key)
        return client

    def note_cell(self, run: "ExecutionInfo") -> None:
        """A cell begins: the calls that begin in it are its own."""
        self._cell_id = getattr(run, "cell_id", None) or ""

    def _live_key(self) -> str:
        return self._course.connection.key if self._course else ""

    def close(self) -> None:
        """Writes the log, closes the connections, and gives back the shell's error handler."""
        if self._course:
            self._course.close()
        if self._restore_errors:
            self._restore_errors()

    @property
    def _shell(self) -> "InteractiveShell":
        assert self.shell is not None
        return self.shell

    def _parse(self, line: str) -> _Options:
        self._refuse_key(line)
        parser: Any = getattr(self.ask_cell, "parser")  # noqa: B009  magic_arguments set it
        parser.allow_abbrev = False  # IPython's constructor does not take it
        try:
            known, unknown = parser.parse_known_args(shlex.split(line))
        except ValueError:
            raise LLMError(
                "A quotation mark on the %%llm line is not closed; put texts of several words "
                f'between two, such as -s "Be brief". {_QUESTION_BELOW}'
            ) from None
        except UsageError as error:
            raise LLMError(f"The %%llm line: {error}. %%llm? shows what it takes.") from None
        if unknown:
            raise LLMError(
                f"The %%llm line does not take “{' '.join(unknown)}”; %%llm? shows what it takes. "
                + _QUESTION_BELOW
            )
        chosen = vars(known)
        out = chosen.pop("out")
        if out is not None and (not out.isidentifier() or iskeyword(out)):
            raise LLMError(f"--out takes the name of a variable, and {out!r} cannot be one.")
        return _Options(out, MappingProxyType(chosen))

    def _refuse_key(self, line: str) -> None:
        key = self._live_key()
        if looks_like_key(line) or (key and key in line):
            raise LLMError(
                "A key does not belong on a magic line, which is saved with the notebook. Put it "
                "into .env as SWSLLM_API_KEY=…, and delete it here; a key that others may have "
                "seen is replaced on the course page."
            )

    def _show_log(self) -> None:
        from IPython.display import display

        frame = self.course().log()
        bundle = {"text/html": table_html(frame), "text/plain": str(frame)}
        display(bundle, raw=True)  # type: ignore[no-untyped-call]

    def _show_partial(self, live: Any, partial: "Answer | None") -> None:
        if partial:
            live.fail(partial.text, f"incomplete · {partial.footnote}")

    def _whereabouts(self) -> Whereabouts:
        path = self._shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
        return Whereabouts(notebook=PurePath(str(path or "")).name, cell_id=self._cell_id)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)


def load(shell: "InteractiveShell") -> None:
    """Registers the magics; loading twice changes nothing."""
    if magics_of(shell) is None:
        magics = CourseMagics(shell)
        shell.register_magics(magics)
        shell.events.register("pre_run_cell", magics.note_cell)


def unload(shell: "InteractiveShell") -> None:
    """Takes the magics away again."""
    magics = magics_of(shell)
    if magics is None:
        return
    magics.close()
    shell.events.unregister("pre_run_cell", magics.note_cell)
    del shell.magics_manager.registry[CourseMagics.__name__]
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("llm", None)


def magics_of(shell: Any) -> CourseMagics | None:
    """The magics that a shell has loaded."""
    magics = shell.magics_manager.registry.get(CourseMagics.__name__)
    return magics if isinstance(magics, CourseMagics) else None
