"""The file of a call log: SQLite with a rollback journal, because homes may be on NFS."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from swsllm_nb.notebook.rows import Row

__all__ = ["FILE_ERRORS", "LogFile"]

FILE_ERRORS: Final = (sqlite3.Error, OSError, ValueError)
"""What a file that cannot be used raises here."""

_BUSY_SECONDS: Final = 10.0


class LogFile:
    """Rows by id; ``columns`` are SQL types by name. Any number of processes share the file.

    A file with fewer columns gains them at the first write; one with more keeps them. Every method
    may raise FILE_ERRORS.
    """

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self.path = path
        self._columns = {
            name: f"{kind} NOT NULL DEFAULT ''" if kind == "TEXT" else kind
            for name, kind in columns.items()
        }

    def write(self, rows: Sequence[Row]) -> None:
        """Adds the rows; one whose id is there already takes its place."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made here and not by SQLite: prompts are nobody else's business.
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        names = ", ".join(self._columns)
        marks = ", ?" * len(self._columns)
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            self._widen(database)
            database.executemany(f"REPLACE INTO calls (id, {names}) VALUES (?{marks})", rows)

    def read(self) -> list[Row]:
        """All rows; what an older file had no column for is NULL, or empty for a text."""
        if not self.path.exists():
            return []
        with self._open() as database:
            known = _names(database)
            wanted = (
                name if name in known else "''" if "TEXT" in kind else "NULL"
                for name, kind in self._columns.items()
            )
            select = f"SELECT id, {', '.join(wanted)} FROM calls"
            return database.execute(select).fetchall() if known else []

    def clear(self) -> int:
        """Removes every row for good and tells how many there were."""
        if not self.path.exists():
            return 0
        with self._open() as database:
            if not _names(database):
                return 0
            # What was deleted is overwritten, or it could still be read in the file.
            database.execute("PRAGMA secure_delete = ON")
            return database.execute("DELETE FROM calls").rowcount

    def _widen(self, database: sqlite3.Connection) -> None:
        columns = [f"{name} {kind}" for name, kind in self._columns.items()]
        database.execute(
            f"CREATE TABLE IF NOT EXISTS calls (id TEXT PRIMARY KEY, {', '.join(columns)})"
        )
        known = _names(database)
        for name, kind in self._columns.items():
            if name not in known:
                database.execute(f"ALTER TABLE calls ADD COLUMN {name} {kind}")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS)) as database, database:
            yield database


def _names(database: sqlite3.Connection) -> set[str]:
    """The columns of the file's table; none where it has no table yet."""
    return {row[1] for row in database.execute("PRAGMA table_info(calls)")}
