"""The call log: one row per HTTP attempt, in a file of the user's that outlives the kernel."""

import atexit
import hashlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.frames import calls_frame
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.logfile import FILE_ERRORS, LogFile
from swsllm_nb.notebook.rows import COLUMNS, Call, Row, Whereabouts, call_of, row_of, this_process
from swsllm_nb.notebook.worker import Worker

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TEXTS_VARIABLE", "Call", "CallLog", "Whereabouts", "log_path"]

TEXTS_VARIABLE: Final = "SWSLLM_LOG_TEXTS"
"""``off``: prompts and answers are not kept. Read for each row."""

_IDLE_SECONDS: Final = 1.0
_GATHER_SECONDS: Final = 0.1
"""Rows of quick calls are written together: a write of its own for each slows the next call."""
_EXIT_SECONDS: Final = 5.0


def log_path(connection: Connection) -> Path:
    """The log file of an account at a server. The key is only in it as a hash."""
    from platformdirs import user_data_path

    account = f"{connection.base_url}\0{connection.key}".encode()
    fingerprint = hashlib.sha256(account).hexdigest()[:16]
    return user_data_path("swsllm_nb") / "calls" / f"{fingerprint}.sqlite3"


def _tell_on_stderr(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


def _nobody_listens() -> None:
    pass


class CallLog:
    """Rows go to a background thread; a file that cannot be written never fails a call.

    Any number of kernels may share the file. What cannot be written stays in memory, is tried
    again with the next row, and is told once.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] = _tell_on_stderr) -> None:
        self._file = LogFile(path, COLUMNS)
        self._tell = tell
        self._told = False
        self._arrived: SimpleQueue[dict[str, Row]] = SimpleQueue()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._pending: dict[str, Row] = {}
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._writer = Worker("swsllm-call-log", self._write_until_idle, self._is_work)
        self._exiting = False
        self._changed: Callable[[], None] = _nobody_listens
        atexit.register(self._exit)

    def listen(self, changed: Callable[[], None]) -> None:
        """``changed`` is called after rows came, or changed, in the thread that filed them.

        It returns at once, waits for no lock and raises nothing: the collector may call it.
        """
        self._changed = changed

    def append(self, call: Call) -> str:
        """Takes a row, returns at once, and gives the row's id."""
        if os.environ.get(TEXTS_VARIABLE, "").lower() == "off":
            call = replace(call, prompt="", answer="")
        row_id = uuid4().hex
        self.put({row_id: call})
        return row_id

    def put(self, calls: Mapping[str, Call]) -> None:
        """Writes rows anew, by their ids; returns at once."""
        # No lock is waited for: the collector may file the row of a stream at any moment.
        self._arrived.put({row_id: row_of(row_id, call) for row_id, call in calls.items()})
        self._bell.put(None)
        if self._exiting:
            self._write()
        else:
            self._writer.wake()
        self._changed()

    def calls(self) -> dict[str, Call]:
        """Every call of this account from this machine by its row's id, oldest first."""
        return {row[0]: call_of(row) for row in self._rows()}

    def frame(self, notebook: str | None = None) -> "pd.DataFrame":
        """The log with the columns of ``wire.CALL_COLUMNS``, oldest first.

        Of every call of this account; or of a notebook's alone, by its name, and of this
        process's where the name is empty.
        """
        rows = self._rows()
        if notebook is not None:
            column, wanted = ("notebook", notebook) if notebook else ("process", this_process())
            place = 1 + tuple(COLUMNS).index(column)
            rows = [row for row in rows if row[place] == wanted]
        columns = zip(*(row[1:] for row in rows), strict=True)
        return calls_frame(dict(zip(COLUMNS, columns, strict=bool(rows))))

    def clear(self) -> int:
        """Deletes every row, prompts and answers for good, and tells how many there were.

        Raises LLMError where the file cannot be written.
        """
        with self._writing:
            try:
                written = {row[0] for row in self._file.read()}
                self._file.clear()
            except FILE_ERRORS as error:
                raise LLMError(
                    say(
                        f"The call log {self._file.path} cannot be cleared ({error}). Nothing was "
                        "deleted; if other notebooks are running, stop them and try again.",
                        f"Das Protokoll {self._file.path} lässt sich nicht leeren ({error}). Es "
                        "wurde nichts gelöscht; laufen andere Notebooks, bitte beenden und noch "
                        "einmal versuchen.",
                    )
                ) from None
            pending = self._take()
            with self._lock:
                self._pending.clear()
        self._changed()
        return len(written | pending.keys())

    def close(self) -> None:
        """Writes what is pending, waiting for other kernels at most for seconds.

        Runs by itself when the interpreter ends; the log may be used again.
        """
        self._closing.set()
        self._bell.put(None)
        self._writer.join(_EXIT_SECONDS)
        self._closing.clear()
        self._write()

    def _rows(self) -> list[Row]:
        # Pending first: what is written in between is then in both, and counted once by its id.
        pending = self._take()
        try:
            written = self._file.read()
        except FILE_ERRORS as error:
            self._tell_once(error)
            written = []
        rest = (row for row in written if row[0] not in pending) if pending else written
        return sorted((*rest, *pending.values()), key=itemgetter(1))

    def _exit(self) -> None:
        # Streams that are open still are filed after this, where their finalizer is older.
        self._exiting = True
        self.close()

    def _take(self) -> dict[str, Row]:
        """What is pending, with what has arrived by now."""
        with self._lock:
            with suppress(Empty):
                while True:
                    self._pending |= self._arrived.get_nowait()
            return dict(self._pending)

    def _is_work(self) -> bool:
        return not self._closing.is_set() and not self._bell.empty()

    def _write_until_idle(self) -> None:
        """Ends after a second without rows, so that a forgotten log holds no thread."""
        with suppress(Empty):
            while not self._closing.is_set():
                self._bell.get(timeout=_IDLE_SECONDS)
                self._closing.wait(_GATHER_SECONDS)
                self._silence()
                if not self._closing.is_set():
                    self._write()

    def _silence(self) -> None:
        with suppress(Empty):
            while True:
                self._bell.get_nowait()

    def _write(self) -> None:
        if not self._writing.acquire(timeout=_EXIT_SECONDS):
            return
        try:
            batch = self._take()
            if batch:
                self._file.write(list(batch.values()))
            with self._lock:
                for row_id, row in batch.items():
                    # One that was written anew meanwhile stays.
                    if self._pending.get(row_id) is row:
                        del self._pending[row_id]
        except FILE_ERRORS as error:
            self._tell_once(error)
        finally:
            self._writing.release()

    def _tell_once(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._tell(
                say(
                    f"The call log {self._file.path} cannot be used ({error}). Your calls work all "
                    "the same; their log lasts until this kernel stops.",
                    f"Das Protokoll {self._file.path} lässt sich nicht benutzen ({error}). Alle "
                    "Aufrufe gehen trotzdem; ihr Protokoll hält, bis dieser Kernel endet.",
                )
            )
