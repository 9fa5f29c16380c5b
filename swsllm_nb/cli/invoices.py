"""``swsllm ledger invoice``."""

import sys
from typing import Any, BinaryIO

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show

__all__ = ["ledger_invoice"]


@click.command(
    "invoice",
    epilog="\b\nExamples:\n  swsllm ledger invoice cost_2026-11-01_2026-11-30.csv\n"
    "  swsllm ledger invoice --since 2026-11-01 --until 2026-11-30 --billed 12.34",
)
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--since", help="First UTC day, such as 2026-11-01.")
@click.option("--until", help="Last UTC day, such as 2026-11-30.")
@click.option("--billed", help="Dollars that the upstream asks for these days.")
@place_options
@json_option
def ledger_invoice(
    file: BinaryIO | None, since: str | None, until: str | None, billed: str | None, place: Place,
    as_json: bool,
) -> None:  # fmt: skip
    """The upstream's invoice against the ledger. Exit code 1 where they disagree.

    FILE is what the provider's usage page exports, or lines such as 2026-11-23,1.25: it is held
    against the ledger day by day, and disagrees where it bills more. Without one, what calls came
    to is told for the days from --since to --until, and whether --billed is between the least and
    the most: of unconfirmed calls nobody knows whether the upstream billed them.
    """
    if file is not None:
        if since or until or billed:
            raise click.UsageError("State a FILE, which has its own days and sums, or --since.")
        _show_days(file.read(), place, as_json)
    elif since and until:
        _show_sum(place, as_json, since, until, billed)
    else:
        raise click.UsageError("State a FILE, or the days: --since and --until.")


def _show_days(document: bytes, place: Place, as_json: bool) -> None:
    from swsllm_nb.money import usd_text
    from swsllm_nb.proxy.invoice_file import compared, read_invoice, total
    from swsllm_nb.proxy.public import in_usd

    billed = read_invoice(document)
    days = place.act(lambda store, _: store.read(lambda: compared(billed)))
    shown = [
        {
            **in_usd(day),
            "above_usd": usd_text(day.above_pico),
            "below_usd": usd_text(day.below_pico),
        }
        for day in (*days, total(days))
    ]
    show(shown, as_json)
    sys.exit(1 if total(days).above_pico else 0)


def _show_sum(place: Place, as_json: bool, since: str, until: str, billed: str | None) -> None:
    from swsllm_nb.proxy.public import staff_invoice

    told: dict[str, Any] = place.act(
        lambda store, _: store.read(lambda: staff_invoice(since, until, billed))
    )
    if as_json:
        show(told, as_json)
    else:
        models = told.pop("models")
        show(told, as_json)
        show(models, as_json)
    sys.exit(1 if told["agrees"] is False else 0)
