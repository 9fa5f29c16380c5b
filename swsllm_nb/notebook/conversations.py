"""Named conversations: what is sent again with the next question, and never grows by re-running."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

__all__ = ["Conversation", "Conversations", "Turn"]

Message = Mapping[str, str]


@dataclass(frozen=True)
class Turn:
    """A question and its answer. ``run`` counts executions; ``cell_id`` is "" where unknown."""

    cell_id: str
    run: int
    prompt: str
    answer: str

    @property
    def messages(self) -> tuple[Message, Message]:
        return (
            {"role": "user", "content": self.prompt},
            {"role": "assistant", "content": self.answer},
        )


@dataclass(frozen=True)
class Conversation:
    """The turns of one name, oldest first, and the system message that they were asked under."""

    system: str | None = None
    turns: tuple[Turn, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        return _messages(self.turns)

    def before(self, cell_id: str, run: int) -> tuple[Message, ...]:
        """What precedes a question of this cell: where the cell ran before, what preceded it."""
        return _messages(self.turns[: self._place(cell_id, run)])

    def with_turn(self, turn: Turn) -> "Conversation":
        """With one more turn, in the place of those that an earlier run of the cell left."""
        place = self._place(turn.cell_id, turn.run)
        rest = (
            each for each in self.turns[place:] if not turn.cell_id or each.cell_id != turn.cell_id
        )
        return replace(self, turns=(*self.turns[:place], turn, *rest))

    def _place(self, cell_id: str, run: int) -> int:
        """Where the next turn of this run of the cell goes."""
        own = [at for at, turn in enumerate(self.turns) if cell_id and turn.cell_id == cell_id]
        of_this_run = [at for at in own if self.turns[at].run == run]
        if of_this_run:
            return of_this_run[-1] + 1
        return own[0] if own else len(self.turns)


class Conversations:
    """The conversations of a notebook, by name, in the order in which they began."""

    def __init__(self) -> None:
        self._named: dict[str, Conversation] = {}

    def __iter__(self) -> Iterator[tuple[str, Conversation]]:
        return iter(self._named.items())

    def of(self, name: str) -> Conversation:
        """The conversation of that name; an empty one where there is none yet."""
        return self._named.get(name, Conversation())

    def keep(self, name: str, conversation: Conversation) -> None:
        self._named[name] = conversation

    def forget(self, name: str) -> bool:
        """Whether there was one to forget."""
        return self._named.pop(name, None) is not None


def _messages(turns: tuple[Turn, ...]) -> tuple[Message, ...]:
    return tuple(message for turn in turns for message in turn.messages)
