"""A question and its answer, as values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.notebook.footnotes import footnote
from swsllm_nb.notebook.side_by_side import Column, show_table
from swsllm_nb.wire import Usage

if TYPE_CHECKING:
    from swsllm_nb.notebook.display import LiveAnswer
    from swsllm_nb.notebook.errors import CallFailed

__all__ = ["Answer", "Answers", "Question", "show_side_by_side"]


@dataclass(frozen=True)
class Question:
    """What is asked: the messages, and what else goes into the request's body."""

    model: str
    messages: tuple[Mapping[str, str], ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True


@dataclass(frozen=True)
class Answer:
    """A model's answer and what it cost. ``str()`` is its text; unknown amounts are None.

    ``cost_source`` is one of the call log's, ``seconds`` how long it took. ``json`` is the answer
    as data, where JSON or a schema was asked for. As a cell's value it shows itself, but not a
    second time in the cell that painted it.
    """

    text: str
    model: str
    messages: tuple[Mapping[str, str], ...] = field(repr=False)
    usage: Usage | None = None
    cost_pico: int | None = None
    cost_source: str = "unknown"
    remaining_pico: int | None = None
    budget_pico: int | None = None
    finish_reason: str = ""
    request_id: str = ""
    practice: bool = False
    seconds: float | None = None
    json: Any = field(default=None, repr=False)
    _painted_in: list[int | None] = field(default_factory=list, repr=False, compare=False)

    @property
    def cost_usd(self) -> Decimal | None:
        return None if self.cost_pico is None else Decimal(self.cost_pico) / PICO_PER_USD

    @property
    def footnote(self) -> str:
        """One line: model, tokens, cost, and what is left."""
        return footnote(
            self.model,
            self.usage,
            self.cost_pico,
            self.cost_source,
            self.remaining_pico,
            self.budget_pico,
            self.finish_reason,
            self.practice,
        )

    def __str__(self) -> str:
        return self.text

    def paint(self, live: "LiveAnswer") -> None:
        """Shows the whole answer, in the cell that runs now."""
        live.finish(self.text, self.footnote)
        self.hush()

    def hush(self) -> None:
        """As the value of the cell that runs now it shows nothing more."""
        self._painted_in[:] = [_running_cell()]

    def _ipython_display_(self) -> None:
        if self._painted_in != [_running_cell()]:
            from swsllm_nb.notebook.display import LiveAnswer

            self.paint(LiveAnswer())


class Answers(list[Answer]):
    """The answers of several models to one question; as a cell's value they stand side by side."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        super().__init__(answers)
        self._painted_in: int | None = None

    def hush(self) -> None:
        """As the value of the cell that runs now they show nothing more."""
        self._painted_in = _running_cell()

    def _ipython_display_(self) -> None:
        if self._painted_in is None or self._painted_in != _running_cell():
            show_side_by_side([answer.model for answer in self], self)


def show_side_by_side(models: Sequence[str], outcomes: "Sequence[Answer | CallFailed]") -> None:
    """One table of what each model answered, or of why it did not."""
    show_table([_column(*pair) for pair in zip(models, outcomes, strict=True)])


def _column(model: str, outcome: "Answer | CallFailed") -> Column:
    answer, failure = (
        (outcome, "") if isinstance(outcome, Answer) else (outcome.partial, str(outcome))
    )
    if answer is None:
        return Column(model, failure=failure)
    return Column(
        model=answer.model,
        text=answer.text,
        seconds=answer.seconds,
        usage=answer.usage,
        cost_pico=answer.cost_pico,
        cost_source=answer.cost_source,
        failure=failure,
    )


def _running_cell() -> int | None:
    """The number of the cell that runs; None outside IPython."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell.execution_count if shell else None
