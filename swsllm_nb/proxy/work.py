"""Work on the database, written once for every database: a generator that yields statements.

    def rename(account_id: int, name: str) -> Work[bool]:
        rows = yield ask("UPDATE accounts SET name = $2 WHERE id = $1 RETURNING id", ...)
        return bool(rows)

Whoever runs it sends back the rows of each statement, all inside one transaction: committed when
the generator returns, rolled back when it raises. Placeholders are ``$1``, ``$2`` ...;
``utc_now()`` is the database's own clock as UTC text, ``unix_micros()`` as a number, and
``owner_lives(owner)`` whether that process may take holds. A ``FOR UPDATE`` is left out where one
writer has the whole database to itself.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

__all__ = ["Database", "Row", "Statement", "Work", "ask", "row_values"]

Result = TypeVar("Result")

Row: TypeAlias = Mapping[str, Any]


class Statement(NamedTuple):
    """SQL and the values of its placeholders."""

    sql: str
    values: tuple[Any, ...]


Work: TypeAlias = Generator[Statement, Sequence[Row], Result]


def ask(sql: str, *values: Any) -> Statement:
    return Statement(sql, values)


def row_values(row: Row) -> tuple[Any, ...]:
    """The values of a row in the order of its columns; both drivers' rows iterate over these."""
    return tuple(row)


class Database(Protocol):
    """Something that runs works, and knows which processes live. Raises StoreUnavailable."""

    @property
    def owner(self) -> str:
        """The name under which this process takes holds."""
        ...

    @property
    def shared(self) -> bool:
        """Whether many processes may serve from it."""
        ...

    async def open(self) -> None:
        """Connect and migrate. Raises OSError or ValueError, in words, where that cannot be."""
        ...

    async def close(self) -> None: ...

    async def migrate(self, rehearse: bool) -> tuple[int, int]:
        """Bring a closed database to the newest version, or only try; gives both versions."""
        ...

    async def write(self, work: Callable[[], Work[Result]]) -> Result:
        """Run a work durably, the whole of it or nothing. It may be begun more than once."""
        ...

    async def read(self, work: Callable[[], Work[Result]]) -> Result:
        """Run a work that only reads, on one state of the database."""
        ...

    async def dead_owners(self) -> Sequence[str]:
        """Renew the sign of life of this process; gives the owners of holds that have died."""
        ...

    async def complete_to_id(self) -> int:
        """The ledger's row up to which all rows that there will ever be are committed.

        Ids are given before commits, so beyond it one may still appear between two others.
        """
        ...
