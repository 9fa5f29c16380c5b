"""What ``%%llm``, ``%llm``, ``ask()`` and ``client()`` share: a course, settings, conversations."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.money import usd_text
from swsllm_nb.notebook.calls import CallLog, Whereabouts, log_path
from swsllm_nb.notebook.conversations import Conversations
from swsllm_nb.notebook.course import Course, connect
from swsllm_nb.notebook.envfile import nearest_env_file
from swsllm_nb.notebook.gauge_feed import BudgetFeed
from swsllm_nb.notebook.key_guard import warn_about_key
from swsllm_nb.notebook.options import Options
from swsllm_nb.notebook.shell import explain_openai_errors

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

    from swsllm_nb.notebook.answer import Answer
    from swsllm_nb.notebook.client import AsyncOpenAI, OpenAI
    from swsllm_nb.notebook.connection import Connection
    from swsllm_nb.notebook.gauge import Budget

__all__ = ["Desk", "desk_here", "desk_of_script"]

_GUARD_SECONDS: Final = 0.5


class Desk:
    """One notebook's, or one script's where no ``shell`` is.

    ``settings`` are what ``%llm set`` chose, ``base_url`` too; ``last`` is the latest answer.
    ``budget_pico`` is what ``%llm budget`` was told, for a server that tells none.
    """

    def __init__(self, shell: "InteractiveShell | None" = None) -> None:
        self.settings = Options()
        self.base_url: str | None = None
        self.budget_pico: int | None = None
        self.conversations = Conversations()
        self.last: Answer | None = None
        self.cell_id = ""
        self.run = 0
        self._shell = shell
        self._given: tuple[str | None, str | None] = (None, None)
        # One for each connection: a client that somebody still holds is not closed under them.
        self._courses: dict[Connection, Course] = {}
        self._key = ""
        self._restore_errors: Callable[[], None] | None = None
        self._feed = BudgetFeed(lambda: self.budget_pico)

    @property
    def namespace(self) -> Mapping[str, Any]:
        """The variables of the notebook, or of the script."""
        return self._shell.user_ns if self._shell else vars(sys.modules["__main__"])

    @property
    def live_key(self) -> str:
        """The key in use; empty before the first call."""
        return self._key

    @property
    def whereabouts(self) -> Whereabouts:
        """Where a call begins now."""
        told = self.namespace.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
        return Whereabouts(notebook=PurePath(str(told or "")).name, cell_id=self.cell_id)

    def course(self, base_url: str | None = None, api_key: str | None = None) -> Course:
        """The course of this notebook. What code once gave stays given.

        The environment and ``.env`` are read anew each time, so that a new key needs no restart.
        Raises NotConnected.
        """
        given = (base_url, api_key) if base_url or api_key else self._given
        connection = connect(given[0] or self.base_url, given[1])
        self._given, self._key = given, connection.key
        if connection not in self._courses:
            self._courses[connection] = self.course_of(connection)
            self._guard(connection)
        return self._courses[connection]

    def course_of(self, connection: "Connection") -> Course:
        """A course of its own, for a key that is only tried."""
        log = CallLog(log_path(connection))
        course = Course(connection, log, lambda: self.whereabouts)
        log.listen(partial(self._feed.ring, course))
        return course

    def forget_given(self) -> None:
        """Key and address are again those of the environment or of ``.env``."""
        self.base_url = None
        self._given = (None, None)

    def budget(self) -> "Budget":
        """What was granted, is spent, held and left: as the proxy says, else as the log adds up.

        Raises NotConnected, or CallFailed where nobody answers.
        """
        course = self.course()
        # What followers show may be older, such as from before a top-up.
        self._feed.ring(course)
        return self._feed.budget(course)

    def budget_usd(self) -> str | None:
        """The account's budget: as the proxy says, else as it was typed in."""
        told = self.course().budget_usd()
        return usd_text(self.budget_pico) if told is None and self.budget_pico else told

    def client(self, base_url: str | None = None, api_key: str | None = None) -> "OpenAI":
        """The course's client; from now on its errors are one sentence in this shell."""
        client = self.course(base_url, api_key).client()
        self._explain_errors()
        return client

    def async_client(
        self, base_url: str | None = None, api_key: str | None = None
    ) -> "AsyncOpenAI":
        """As ``client``, for ``await``."""
        client = self.course(base_url, api_key).async_client()
        self._explain_errors()
        return client

    def note_cell(self, run: "ExecutionInfo") -> None:
        """A cell begins: the calls that begin in it are its own."""
        self.cell_id = getattr(run, "cell_id", None) or ""
        self.run += 1

    def close(self) -> None:
        """Writes the log, closes the connections, and gives back the shell's error handler."""
        self._feed.close()
        for course in self._courses.values():
            course.close()
        if self._restore_errors:
            self._restore_errors()

    def _guard(self, connection: "Connection") -> None:
        """Look once whether the key might be published; a slow disk does not hold up the call."""
        if self._shell is not None:
            path = nearest_env_file(Path.cwd())
            holds_key = path if path and str(path) in connection.source else None
            warn_about_key(connection, holds_key, self.namespace).join(_GUARD_SECONDS)

    def _explain_errors(self) -> None:
        if self._shell is not None and self._restore_errors is None:
            self._restore_errors = explain_openai_errors(self._shell, lambda: self.live_key)


def desk_here() -> Desk:
    """The desk of the running shell, where the extension is loaded, else that of the script."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_ipython() if get_ipython else None
    if shell is None:
        return desk_of_script()
    from swsllm_nb.notebook.magics import magics_of

    magics = magics_of(shell)
    return magics.desk if magics else desk_of_script()


@cache
def desk_of_script() -> Desk:
    """The desk where no notebook has one: a loop of questions shares its connections."""
    return Desk()
