"""Passwords on their way to students: on the screen, as CSV for a mail merge, or on paper."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from swsllm_nb.proxy.course import Course
    from swsllm_nb.proxy.office import Credentials

    HandOut = Callable[[Sequence[Credentials], Course], None]

__all__ = ["Handout", "handout_options", "naming", "told_credentials"]

_SHEET: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        "Account",
        "First password",
        "Page",
        "When you first sign in you choose a password of your own. Your API key is on the page.",
    ),
    "de": (
        "Account",
        "Erstes Passwort",
        "Seite",
        "Bei der ersten Anmeldung wählen Sie ein eigenes. Ihr API-Key steht auf der Seite.",
    ),
}
_CUT: Final = "- " * 40


@dataclass(frozen=True)
class Handout:
    """How passwords are given away: ``sheet`` for paper, else CSV; to a file, else to stdout."""

    sheet: bool
    output: Path | None
    address: str | None

    @contextmanager
    def opened(self) -> "Iterator[HandOut]":
        """What writes passwords, some at a time and at once. A file is made before there are any.

        Raises ValueError where there is one already. What writes them raises a ClickException that
        says whose could not be written.
        """
        if self.output is None:
            yield self._in_parts(lambda part: click.echo(part, nl=False))
            return
        try:
            # Nobody else is to read it.
            file = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ValueError(
                f"There is a file {self.output} already, perhaps with passwords: choose another."
            ) from None
        try:
            with os.fdopen(file, "wb", buffering=0) as opened:
                yield self._in_parts(opened.write)
        finally:
            if self.output.stat().st_size == 0:
                self.output.unlink()

    def _in_parts(self, write: Callable[[bytes], Any]) -> "HandOut":
        begun = False

        def hand_out(made: "Sequence[Credentials]", course: "Course") -> None:
            nonlocal begun
            with naming(made):
                if self.sheet:
                    write(self._paper(made, course).encode())
                elif made:
                    write(_csv(made, headed=not begun))
            begun = begun or bool(made)

        return hand_out

    def _paper(self, made: "Sequence[Credentials]", course: "Course") -> str:
        """A slip for each person, to be cut."""
        account, password, page, advice = _SHEET[course.language or "en"]
        slips = []
        for one in made:
            rows = [(account, one.account.name), (password, one.password), (page, self.address)]
            lines = [f"  {name.ljust(18)}{text}" for name, text in rows if text]
            titles = [title for title in (course.name, one.account.full_name) if title]
            slips.append("\n".join([*titles, "", *lines, "", advice, "", _CUT, ""]))
        return "\n".join([*slips, ""]) if slips else ""


@contextmanager
def naming(made: "Sequence[Credentials]") -> Iterator[None]:
    """Raises a ClickException where passwords cannot be written, with the names of their accounts.

    Their accounts have them all the same, and nobody could sign in.
    """
    try:
        yield
    except OSError as error:
        with suppress(OSError, ValueError):
            # What waits in a closed pipe's buffer would fail once more when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        names = [one.account.name for one in made]
        raise click.ClickException(
            f"The passwords of {', '.join(names)} could not be written ({error}), and hold all "
            f"the same. Make new ones: swsllm account password {shlex.join(names)}"
        ) from None


def handout_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command ``--sheet``, ``--output`` and the page's address as one ``handout``."""

    @wraps(command)
    def handed(
        *args: Any, sheet: bool, output: Path | None, public_url: str | None, **options: Any
    ) -> Any:
        return command(*args, handout=Handout(sheet, output, public_url), **options)

    for option in (
        click.option("--sheet", is_flag=True, help="Slips of paper to cut, instead of CSV."),
        click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False, path_type=Path),
            help="A new file that only you can read, instead of the screen.",
        ),
        click.option(
            "--public-url", envvar="SWSLLM_PUBLIC_URL", help="The page's address, for the slips."
        ),
    ):
        handed = option(handed)
    return handed


def told_credentials(one: "Credentials") -> dict[str, str]:
    return {"account": one.account.name, "password": one.password}


def _csv(made: "Sequence[Credentials]", *, headed: bool) -> bytes:
    from swsllm_nb.proxy.sheets import Dollars, sheet, sheet_rows

    header = ("account", "password", "full_name", "email", "budget_usd")
    rows = (
        (
            one.account.name, one.password, one.account.full_name, one.account.email,
            Dollars(one.account.budget_pico),
        )
        for one in made
    )  # fmt: skip
    return sheet(header, rows) if headed else sheet_rows(rows)
