"""``%%llm`` and ``%llm``: parse, ask, show."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import magic_arguments

from swsllm_nb.notebook.answer import Answer, Answers, show_side_by_side
from swsllm_nb.notebook.cells import cell_transformer
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import CallFailed, Interrupted, LLMError
from swsllm_nb.notebook.keys import hides_key, looks_like_key
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.options import Options, checked_name, parse_line, with_manual
from swsllm_nb.notebook.schemas import checked_schema

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from swsllm_nb.notebook.estimate import Estimate

__all__ = ["CourseMagics", "load", "magics_of", "unload"]

_NAME: Final = "llm"
_SECOND_NAME: Final = "swsllm"

_Method = TypeVar("_Method", bound=Callable[..., Any])


class _Decorator(Protocol):
    def __call__(self, method: _Method, /) -> _Method: ...


# IPython's own decorators carry no types.
_cell_magic = cast("Callable[[str], _Decorator]", cell_magic)
_line_magic = cast("Callable[[str], _Decorator]", line_magic)
_manual: Callable[[str], _Decorator] = magic_arguments


@magics_class
class CourseMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: "InteractiveShell") -> None:
        super().__init__(shell)
        self.desk = Desk(shell)

    @no_var_expand
    @_cell_magic(_NAME)
    @_manual("%llm")
    @with_manual
    def ask_cell(self, line: str, cell: str) -> "Answer | Answers | Estimate | list[Estimate]":
        """Ask a language model; the cell's text is the prompt.

        The text is sent as it stands, but for {{ name }}, which becomes the value of that
        variable. The answer appears while it is written, with its cost under it. It is the cell's
        value: ``_``, ``swsllm_nb.last()``, or the variable that ``--out`` names.
        """
        from swsllm_nb.notebook.inquiry import estimates_of, inquiry_of

        self._refuse_key(line)
        parser = getattr(self.ask_cell, "parser")  # noqa: B009  magic_arguments set it
        below = say(
            "The question goes below the %%llm line.", "Die Frage steht unter der %%llm-Zeile."
        )
        chosen = parse_line(parser, line, below)
        out = chosen.pop("out")
        if out is not None:
            checked_name(out)
        if chosen["schema"] is not None:
            chosen["schema"] = checked_schema(chosen["schema"], self.desk.namespace)
        # IPython ends every cell with a newline of its own.
        inquiry = inquiry_of(self.desk, cell.removesuffix("\n"), Options.of(**chosen))
        estimate = inquiry.options.estimate
        value = estimates_of(inquiry) if estimate else self._shown_answer(inquiry)
        if out:
            self._user_namespace[out] = value
        return value

    @no_var_expand
    @_line_magic(_NAME)
    def status_line(self, line: str) -> None:
        """Show where calls go, with which key, and what is left; %llm help lists what else."""
        self._refuse_key(line)
        from swsllm_nb.notebook import commands

        commands.run(self.desk, line)

    def _shown_answer(self, inquiry: Any) -> Answer | Answers:
        from swsllm_nb.notebook.display import LiveAnswer
        from swsllm_nb.notebook.inquiry import answers_of

        quiet = inquiry.options.quiet
        live = None if quiet else LiveAnswer()
        try:
            outcomes = answers_of(
                self.desk,
                inquiry,
                source="magic",
                paint=live.update if live else _paint_nothing,
                notice=live.notice if live else None,
            )
        except (CallFailed, Interrupted) as failure:
            if live and failure.partial:
                _show_partial(live, failure)
            raise
        answers = Answers(each for each in outcomes if isinstance(each, Answer))
        if len(inquiry.questions) == 1:
            (answer,) = answers
            answer.hush() if live is None else answer.paint(live)
            return answer
        if not quiet:
            show_side_by_side([question.model for question in inquiry.questions], outcomes)
        answers.hush()
        for each in outcomes:
            if isinstance(each, CallFailed):
                raise each
        return answers

    def _refuse_key(self, line: str) -> None:
        if looks_like_key(line) or hides_key(line, self.desk.live_key):
            raise LLMError(
                say(
                    "A key does not belong on a magic line, which is saved with the notebook. "
                    "%llm login puts it into .env; delete it here. A key that others may have "
                    "seen is replaced on the course page.",
                    "Ein Schlüssel gehört in keine Magic-Zeile, die mit dem Notebook gespeichert "
                    "wird. %llm login schreibt ihn in .env; lösche ihn hier. Ein Schlüssel, den "
                    "andere gesehen haben können, wird auf der Kursseite ersetzt.",
                )
            )

    @property
    def _user_namespace(self) -> dict[str, Any]:
        assert self.shell is not None
        namespace: dict[str, Any] = self.shell.user_ns
        return namespace


def _show_partial(live: Any, failure: CallFailed | Interrupted) -> None:
    assert failure.partial is not None
    if isinstance(failure, CallFailed) and failure.code == "not_as_asked":
        failure.partial.paint(live)
        return
    incomplete = say("incomplete", "unvollständig")
    live.fail(failure.partial.text, f"{incomplete} · {failure.partial.footnote}")


def _paint_nothing(text: str) -> None:
    del text


def load(shell: "InteractiveShell") -> None:
    """Registers the magics; loading twice changes nothing.

    Where another extension has the name, ours get a second one, and that is said.
    """
    if magics_of(shell) is not None:
        return
    magics = CourseMagics(shell)
    name = _free_name(shell)
    for named in magics.magics.values():
        named[name] = named.pop(_NAME)
    shell.register_magics(magics)
    shell.events.register("pre_run_cell", magics.desk.note_cell)
    _transformers(shell).insert(0, cell_transformer(name))


def unload(shell: "InteractiveShell") -> None:
    """Takes the magics away again, and nobody else's."""
    magics = magics_of(shell)
    if magics is None:
        return
    magics.desk.close()
    shell.events.unregister("pre_run_cell", magics.desk.note_cell)
    del shell.magics_manager.registry[CourseMagics.__name__]
    for kind, ours in magics.magics.items():
        registered = shell.magics_manager.magics[kind]
        for name, magic in ours.items():
            if registered.get(name) == magic:
                del registered[name]
    _transformers(shell)[:] = [
        each
        for each in _transformers(shell)
        if getattr(each, "__module__", "") != cell_transformer.__module__
    ]


def _free_name(shell: Any) -> str:
    """The name of the magics in this shell."""
    theirs = shell.find_cell_magic(_NAME) or shell.find_line_magic(_NAME)
    if theirs is None:
        return _NAME
    owner = getattr(theirs, "__module__", None) or "?"
    sys.stdout.write(
        say(
            f"%%{_NAME} belongs to another extension here ({owner}), which keeps it: write "
            f"%%{_SECOND_NAME} for %%{_NAME} and %{_SECOND_NAME} for %{_NAME}.\n",
            f"%%{_NAME} gehört hier einer anderen Erweiterung ({owner}) und bleibt ihr: Schreib "
            f"%%{_SECOND_NAME} statt %%{_NAME} und %{_SECOND_NAME} statt %{_NAME}.\n",
        )
    )
    return _SECOND_NAME


def magics_of(shell: Any) -> CourseMagics | None:
    """The magics that a shell has loaded."""
    magics = shell.magics_manager.registry.get(CourseMagics.__name__)
    return magics if isinstance(magics, CourseMagics) else None


def _transformers(shell: Any) -> list[Callable[[list[str]], Sequence[str]]]:
    transformers: list[Callable[[list[str]], Sequence[str]]] = shell.input_transformers_cleanup
    return transformers
