"""``swsllm account import`` and ``swsllm account password``: many passwords at a time."""

import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, Final

import click

from swsllm_nb.cli.handouts import Handout, handout_options, naming, told_credentials
from swsllm_nb.cli.place import Place, json_option, place_options, show
from swsllm_nb.cli.progress import progress
from swsllm_nb.cli.selection import Selection, act_on, selection
from swsllm_nb.cli.stopping import stoppable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swsllm_nb.proxy.office import Done, Office, RosterLine, RosterReport
    from swsllm_nb.proxy.roster_acts import Outcome

__all__ = ["account_import", "account_password"]


@click.command(
    "import",
    epilog="\b\nExamples:\n"
    "  swsllm account import roster.csv --dry-run\n"
    "  swsllm account import roster.csv --budget 5.00 > passwords.csv\n"
    "  swsllm account import roster.csv --sheet --output passwords.txt",
)
@click.argument("roster", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only tell what each line would do.")
@click.option("--budget", help="Dollars for each new account. Default: the course's.")
@handout_options
@place_options
@json_option
def account_import(
    roster: IO[bytes], dry_run: bool, budget: str | None, handout: Handout, place: Place,
    as_json: bool,
) -> None:  # fmt: skip
    """Add the accounts of a list, such as Moodle and OPAL export it (ROSTER; - for stdin).

    CSV with a heading, parted by comma, semicolon or tab, in UTF-8, UTF-16 or Latin-1. An account
    is named as the column 'username' ('Benutzername', 'Anmeldename') says, or as what stands before
    the @ of its e-mail; first and last name, e-mail and 'budget' are read as well. A second import
    adds who is new, corrects names and e-mails, and grants nothing. Passwords are shown this once.

    Exit code 1 where a line was refused; the others are done. Ctrl-C stops after those that are
    being added; each password is written as soon as it holds.
    """
    document = roster.read()
    in_report = as_json and handout.output is None

    async def act(office: "Office") -> "RosterReport":
        course = await office.course()
        made = _kept if in_report else lambda made: hand_out(made, course)
        with progress(document.count(b"\n"), " lines") as advance:
            acting = replace(office, progress=advance, made=made, stopped=stopped)
            return await acting.import_roster(document, dry_run=False, budget_usd=budget)

    if dry_run:
        with _looked_at(place) as looked_at:
            report = looked_at.in_office(
                lambda office: office.import_roster(document, dry_run=True, budget_usd=budget),
                create=True,
            )
        _show_report(report, as_json)
    else:
        with stoppable() as stopped, handout.opened() as hand_out:
            report = place.in_office(act, create=True)
            with naming(report.credentials if in_report else []):
                err = not as_json and handout.output is None
                _show_report(report, as_json, with_passwords=in_report, err=err)
    if report.count("refused"):
        sys.exit(1)


@contextmanager
def _looked_at(place: Place) -> "Iterator[Place]":
    """Where a dry run looks: at the course, or where there is none yet, at an empty one."""
    if place.exists:
        yield place
        return
    click.echo(f"There is no course in {place.folder} yet; the import would make one.", err=True)
    with TemporaryDirectory() as folder:
        yield Place(Path(folder), None)


def _kept(_: object) -> None:
    """Of passwords that stand in the answer, which is printed at the end."""


def _show_report(
    report: "RosterReport", as_json: bool, *, with_passwords: bool = False, err: bool = False
) -> None:
    told = [_told(line, with_passwords) for line in report.lines]
    if as_json:
        ignored = list(report.ignored_columns)
        read = {"encoding": report.encoding, "ignored_columns": ignored, "lines": told}
        show(read, as_json)
        return
    if report.ignored_columns:
        columns = ", ".join(map(repr, report.ignored_columns))
        click.echo(f"Read as {report.encoding}, without the columns {columns}.", err=err)
    show([{name: line[name] for name in _SHOWN} for line in told], as_json, err=err)
    counts = Counter(line.outcome for line in report.lines)
    click.echo(", ".join(f"{counts[outcome]} {outcome}" for outcome in _OUTCOMES), err=err)


_SHOWN = ("line", "account", "outcome", "sentence")
_OUTCOMES: "Final[Sequence[Outcome]]" = ("added", "changed", "kept", "refused")


def _told(line: "RosterLine", with_password: bool) -> dict[str, Any]:
    from swsllm_nb.money import usd_text

    told: dict[str, Any] = {
        "line": line.line,
        "account": line.name,
        "outcome": line.outcome,
        "sentence": line.sentence,
        "full_name": line.full_name,
        "email": line.email,
        "budget_usd": None if line.budget_pico is None else usd_text(line.budget_pico),
    }
    if with_password:
        told["password"] = line.credentials and line.credentials.password
    return told


@click.command("password")
@selection
@handout_options
@place_options
@json_option
def account_password(accounts: Selection, handout: Handout, place: Place, as_json: bool) -> None:
    """New passwords for the page, shown this once; who is signed in is so no longer.

    For who forgot theirs. Keys go on working.
    """
    in_answer = as_json and handout.output is None

    async def reset(office: "Office", names: "Sequence[str]") -> "list[Done]":
        course = await office.course()
        handed = _kept if in_answer else lambda made: hand_out(made, course)
        return await replace(office, made=handed, stopped=stopped).reset_passwords(names)

    with stoppable() as stopped, handout.opened() as hand_out:
        done, _ = place.in_office(act_on(accounts, reset))
        made = [one.credentials for one in done if one.credentials]
        if in_answer:
            told = [told_credentials(one) for one in made]
            with naming(made):
                show(told[0] if len(told) == len(accounts.names) == 1 else told, as_json)
    sentences = [one.sentence for one in done if one.sentence]
    for sentence in sentences:
        click.echo(f"Error: {sentence}", err=True)
    if sentences:
        sys.exit(1)
