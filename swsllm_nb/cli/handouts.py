"""Passwords on their way to students: on the screen, as CSV for a mail merge, or on paper."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from swsllm_nb.proxy.course import Course
    from swsllm_nb.proxy.office import Credentials

__all__ = ["Handout", "handout_options", "told_credentials"]

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
    def opened(self) -> "Iterator[Callable[[Sequence[Credentials], Course], None]]":
        """What writes passwords. A file is made first, so that they are never without a place.

        Raises ValueError where there is one already.
        """
        if self.output is None:
            yield lambda made, course: click.echo(self._document(made, course), nl=False)
            return
        try:
            # Nobody else is to read it.
            file = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ValueError(
                f"There is a file {self.output} already, perhaps with passwords: choose another."
            ) from None
        try:
            with os.fdopen(file, "wb") as opened:
                yield lambda made, course: _write(opened.write, self._document(made, course))
        finally:
            if self.output.stat().st_size == 0:
                self.output.unlink()

    def _document(self, made: "Sequence[Credentials]", course: "Course") -> str:
        if not made:
            return ""
        return self._paper(made, course) if self.sheet else _csv(made)

    def _paper(self, made: "Sequence[Credentials]", course: "Course") -> str:
        """A slip for each person, to be cut."""
        account, password, page, advice = _SHEET[course.language or "en"]
        slips = []
        for one in made:
            rows = [(account, one.account.name), (password, one.password), (page, self.address)]
            lines = [f"  {name.ljust(18)}{text}" for name, text in rows if text]
            titles = [title for title in (course.name, one.account.full_name) if title]
            slips.append("\n".join([*titles, "", *lines, "", advice, "", _CUT, ""]))
        return "\n".join(slips)


def _write(write: Callable[[bytes], Any], document: str) -> None:
    write(document.encode())


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


def _csv(made: "Sequence[Credentials]") -> str:
    from swsllm_nb.proxy.sheets import Dollars, sheet

    header = ("account", "password", "full_name", "email", "budget_usd")
    rows = (
        (
            one.account.name, one.password, one.account.full_name, one.account.email,
            Dollars(one.account.budget_pico),
        )
        for one in made
    )  # fmt: skip
    return sheet(header, rows).decode()
