"""``swsllm account import`` and ``swsllm account password``: many passwords at a time."""

import sys
from collections import Counter
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, Final

import click

from swsllm_nb.cli.handouts import Handout, handout_options, told_credentials
from swsllm_nb.cli.place import Place, json_option, place_options, show
from swsllm_nb.cli.progress import progress
from swsllm_nb.cli.selection import Selection, act_on, selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swsllm_nb.proxy.course import Course
    from swsllm_nb.proxy.office import Office, RosterLine, RosterReport
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

    Exit code 1 where a line was refused; the others are done.
    """
    document = roster.read()

    async def act(office: "Office") -> "tuple[RosterReport, Course]":
        with progress(None if dry_run else document.count(b"\n"), " lines") as advance:
            report = await replace(office, progress=advance).import_roster(
                document, dry_run=dry_run, budget_usd=budget
            )
        return report, await office.course()

    if dry_run:
        report, _ = place.in_office(act)
        _show_report(report, as_json)
    else:
        with handout.opened() as hand_out:
            report, course = place.in_office(act, create=True)
            if as_json and handout.output is None:
                _show_report(report, as_json, with_passwords=True)
            else:
                hand_out(report.credentials, course)
                _show_report(report, as_json, err=handout.output is None)
    if report.count("refused"):
        sys.exit(1)


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
    acting = act_on(accounts, lambda office, names: office.reset_passwords(names))
    with handout.opened() as hand_out:
        done, course = place.in_office(acting)
        made = [one.credentials for one in done if one.credentials]
        if as_json and handout.output is None:
            told = [told_credentials(one) for one in made]
            show(told[0] if len(told) == len(accounts.names) == 1 else told, as_json)
        else:
            hand_out(made, course)
    sentences = [one.sentence for one in done if one.sentence]
    for sentence in sentences:
        click.echo(f"Error: {sentence}", err=True)
    if sentences:
        sys.exit(1)
