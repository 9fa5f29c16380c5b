"""``swsllm usage``."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show
from swsllm_nb.cli.progress import progress

if TYPE_CHECKING:
    from swsllm_nb.proxy.office import Office

__all__ = ["usage"]


@click.group()
def usage() -> None:
    """What calls were made, and what they cost; never what was asked or answered."""


@usage.command(
    "export",
    epilog="\b\nExamples:\n  swsllm usage export --output ledger.csv\n"
    "  swsllm usage export --account ada --since 2026-11-01 --json",
)
@click.option("--account", help="Only the rows of this account.")
@click.option("--since", help="From this day on, such as 2026-11-01.")
@click.option("--until", help="Up to this day, and with it.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Instead of stdout."
)
@place_options
@json_option
def usage_export(
    account: str | None, since: str | None, until: str | None, output: Path | None, place: Place,
    as_json: bool,
) -> None:  # fmt: skip
    """Every row of the ledger, the oldest first: calls, grants and adjustments, exactly.

    CSV that a spreadsheet may open; with --json one object per line.
    """
    from swsllm_nb.proxy import export, words
    from swsllm_nb.proxy.sheets import sheet, sheet_rows

    asked = export.Wanted(
        account, since and words.day_begins(since), until and words.day_ends(until)
    )

    async def act(office: "Office") -> None:
        whose = None if account is None else (await office.account(account)).id
        await office.note_export("export_ledger", whose)
        with (
            progress(None, " rows") as advance,
            nullcontext(sys.stdout.buffer) if output is None else output.open("wb") as file,
        ):
            file.write(b"" if as_json else sheet(export.COLUMNS, []))
            async for rows in export.pages(office.store, asked):
                file.write(_json_lines(rows) if as_json else sheet_rows(map(_cells, rows)))
                advance(len(rows))

    place.in_office(act)


@usage.command(
    "spend",
    epilog="\b\nExamples:\n  swsllm usage spend --by model\n"
    "  swsllm usage spend --by day,exercise --since 2026-11-01 --json",
)
@click.option(
    "--by", default="", help="Any of day, model, exercise, account, parted by commas; else a sum."
)
@click.option("--since", help="From this UTC day on, such as 2026-11-01.")
@click.option("--until", help="Up to this UTC day, and with it.")
@place_options
@json_option
def usage_spend(by: str, since: str | None, until: str | None, place: Place, as_json: bool) -> None:
    """What the class was charged, summed up."""
    from swsllm_nb.proxy.readings import Part, Period, spend

    columns = [name for name in by.split(",") if name]
    period = Period.of(since, until)
    every = Part(2**31)
    show(
        place.in_office(lambda office: office.store.read(lambda: spend(columns, period, every))),
        as_json,
    )


def _json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def _cells(row: Mapping[str, Any]) -> list[Any]:
    """Amounts as numbers, exactly, so that a spreadsheet can add them up."""
    return [
        Decimal(value) if column.endswith("_usd") and value is not None else value
        for column, value in row.items()
    ]
