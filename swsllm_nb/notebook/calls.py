"""The call log: one row per HTTP attempt, in a file of the user's that outlives the kernel."""

import atexit
import hashlib
import itertools
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import uuid4

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.language import say
from swsllm_nb.wire import CALL_COLUMNS, Usage

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Call", "CallLog", "Whereabouts", "log_path", "table_html"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BUSY_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 1.0
_GATHER_SECONDS: Final = 0.1
"""Rows of quick calls are written together: a write of its own for each slows the next call."""
_EXIT_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Whereabouts:
    """Where a call began: ``source`` is magic, ask or client; the rest is empty where unknown."""

    source: str = "client"
    notebook: str = ""
    cell_id: str = ""
    exercise: str = ""


@dataclass(frozen=True)
class Call:
    """A row of the log, as ``wire.CALL_COLUMNS`` describes it; amounts are pico-dollars.

    None is unknown. ``budget_pico`` is not in the frame.
    """

    at: datetime
    source: str
    notebook: str
    cell_id: str
    exercise: str
    model: str
    model_served: str
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    cost_pico: int | None
    cost_source: str
    remaining_pico: int | None
    latency_seconds: float
    first_token_seconds: float | None
    stream: bool
    status: str
    finish_reason: str
    error_code: str
    retries: int
    request_id: str
    prompt: str
    answer: str
    budget_pico: int | None = None

    @property
    def usage(self) -> Usage | None:
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            cached_tokens=self.cached_tokens or 0,
            reasoning_tokens=self.reasoning_tokens or 0,
        )


_STORED: Final = tuple(field.name for field in fields(Call))
_SQL_TYPES: Final = {
    "at": "INTEGER",  # microseconds since 1970, UTC
    "latency_seconds": "REAL",
    "first_token_seconds": "REAL",
    "stream": "INTEGER",
    "retries": "INTEGER",
}
_COLUMNS_SQL: Final = ", ".join(
    f"{name} {'INTEGER' if name.endswith(('_tokens', '_pico')) else _SQL_TYPES.get(name, 'TEXT')}"
    for name in _STORED
)
_CREATE: Final = f"CREATE TABLE IF NOT EXISTS calls (id TEXT PRIMARY KEY, {_COLUMNS_SQL})"
# S608: every name is a field of Call.
_INSERT: Final = (
    f"INSERT OR IGNORE INTO calls (id, {', '.join(_STORED)}) VALUES (?{', ?' * len(_STORED)})"
)
_SELECT: Final = f"SELECT id, {', '.join(_STORED)} FROM calls"

_Row: TypeAlias = tuple[Any, ...]
_stored_values: Final = attrgetter(*_STORED)


def log_path(connection: Connection) -> Path:
    """The log file of an account at a server. The key is only in it as a hash."""
    from platformdirs import user_data_path

    account = f"{connection.base_url}\0{connection.key}".encode()
    fingerprint = hashlib.sha256(account).hexdigest()[:16]
    return user_data_path("swsllm_nb") / "calls" / f"{fingerprint}.sqlite3"


def _tell_on_stderr(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


class CallLog:
    """Rows go to a background thread; a file that cannot be written never fails a call.

    Any number of kernels may share the file: rollback journal, because homes may be on NFS.
    What cannot be written stays in memory, is tried again with the next row, and is told once.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] = _tell_on_stderr) -> None:
        self._path = path
        self._tell = tell
        self._told = False
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        self._closing = threading.Event()
        self._pending: dict[str, _Row] = {}
        self._ids = map(f"{uuid4().hex}-{{}}".format, itertools.count())
        self._writer: threading.Thread | None = None
        self._registered = False

    def append(self, call: Call) -> None:
        """Takes a row and returns at once."""
        row = _row(next(self._ids), call)
        with self._lock:
            self._pending[row[0]] = row
            if self._writer is None:
                self._start_writer()
            self._arrived.set()

    def close(self) -> None:
        """Writes what is pending, waiting for other kernels at most for seconds.

        Runs by itself when the interpreter ends; the log may be used again.
        """
        with self._lock:
            writer = self._writer
        if writer:
            self._closing.set()
            self._arrived.set()
            writer.join(_EXIT_SECONDS)
            self._closing.clear()
        with self._lock:
            rest = tuple(self._pending.values())
        if rest:
            self._write(rest)
        atexit.unregister(self.close)
        self._registered = False

    def frame(self) -> "pd.DataFrame":
        """Every call of this account, oldest first, with the columns of ``wire.CALL_COLUMNS``."""
        # Pending first: what is written in between is then in both, and counted once by its id.
        with self._lock:
            pending = dict(self._pending)
        rows = {row[0]: row for row in self._read()} | pending
        return _frame(sorted(rows.values(), key=lambda row: row[1]))

    def _write_until_idle(self) -> None:
        """Ends after a second without rows, so that a forgotten log holds no thread."""
        while True:
            self._arrived.wait(_IDLE_SECONDS)
            self._closing.wait(_GATHER_SECONDS)
            with self._lock:
                if not self._arrived.is_set() or self._closing.is_set():
                    self._writer = None
                    return
                self._arrived.clear()
                batch = tuple(self._pending.values())
            self._write(batch)

    def _write(self, rows: Sequence[_Row]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made here and not by SQLite: prompts are nobody else's business.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as database, database:
                database.execute(_CREATE)
                database.executemany(_INSERT, rows)
        except (sqlite3.Error, OSError) as error:
            self._tell_once(error)
            return
        with self._lock:
            for row in rows:
                self._pending.pop(row[0], None)

    def _read(self) -> list[_Row]:
        try:
            if not self._path.exists():
                return []
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as database:
                made = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'")
                return database.execute(_SELECT).fetchall() if made.fetchone() else []
        except (sqlite3.Error, OSError) as error:
            self._tell_once(error)
            return []

    def _start_writer(self) -> None:
        if not self._registered:
            self._registered = True
            atexit.register(self.close)
        self._writer = threading.Thread(
            target=self._write_until_idle, name="swsllm-call-log", daemon=True
        )
        self._writer.start()

    def _tell_once(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._tell(
                say(
                    f"The call log {self._path} cannot be used ({error}). Your calls work all the "
                    "same; their log lasts until this kernel stops.",
                    f"Das Aufrufprotokoll {self._path} lässt sich nicht nutzen ({error}). Die "
                    "Aufrufe gehen trotzdem; ihr Protokoll hält, bis dieser Kernel endet.",
                )
            )


def table_html(frame: "pd.DataFrame") -> str:
    """The frame as a table whose dollars stay dollars where a page typesets maths."""
    import pandas as pd

    shown: Any = frame
    with pd.option_context("display.html.use_mathjax", False):
        return f'<div class="mathjax_ignore">{shown._repr_html_()}</div>'


def _row(row_id: str, call: Call) -> _Row:
    microseconds = (call.at - _EPOCH) // timedelta(microseconds=1)
    return (row_id, microseconds, *_stored_values(call)[1:])


def _frame(rows: Sequence[_Row]) -> "pd.DataFrame":
    import pandas as pd

    by_column = zip(*(row[1:] for row in rows), strict=True)
    stored: dict[str, Sequence[Any]] = dict(zip(_STORED, by_column, strict=bool(rows)))
    columns: dict[str, Any] = {}
    for name, dtype in CALL_COLUMNS.items():
        if name.endswith("_usd"):
            pico = stored.get(name.replace("_usd", "_pico"), ())
            columns[name] = pd.Series([_usd(amount) for amount in pico], dtype="float64")
        elif name == "at":
            columns[name] = pd.to_datetime(list(stored.get(name, ())), unit="us", utc=True)
        else:
            columns[name] = pd.Series(list(stored.get(name, ())), dtype=dtype)
    return pd.DataFrame(columns).astype(dict(CALL_COLUMNS))


def _usd(pico: int | None) -> float:
    return float("nan") if pico is None else pico / PICO_PER_USD
