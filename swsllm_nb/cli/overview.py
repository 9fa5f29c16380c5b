"""``swsllm course overview`` and ``swsllm course invoice``."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show

if TYPE_CHECKING:
    from swsllm_nb.proxy.invoice import Billable

__all__ = ["course_invoice", "course_overview"]

_ACCOUNT = ("account", "status", "remaining_usd", "pace_usd", "days_left", "last_call_at")


@click.command("overview")
@place_options
@json_option
def course_overview(place: Place, as_json: bool) -> None:
    """The class at a glance: spend by model and day, and who may need a word."""
    from swsllm_nb.proxy import overview
    from swsllm_nb.proxy.public import staff_overview

    told = staff_overview(
        place.in_office(lambda office: office.store.read(overview.course_overview))
    )
    if as_json:
        show(told, as_json)
        return
    show(told["sums"], as_json)
    for title, rows in (
        ("Spend by day and model", told["by_model"]),
        ("Near the limit", _picked(told["near_limit"])),
        ("Stuck: refused, and nothing but refused since", _stuck(told["stuck"])),
        ("Idle: may call, and did not", _picked(told["idle"])),
    ):
        click.echo(f"\n{title}: {'nobody' if not rows else ''}".rstrip(" "))
        show(rows, as_json)


def _picked(accounts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: account[name] for name in _ACCOUNT} for account in accounts]


def _stuck(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    fields = ("refusals", "code", "last_at")
    return [{"account": row["account"]["account"], **{name: row[name] for name in fields}}
            for row in rows]  # fmt: skip


@click.command(
    "invoice",
    epilog="\b\nExample:\n  swsllm course invoice --since 2026-11-01 --until 2026-11-30 "
    "--billed 12.34",
)
@click.option("--since", required=True, help="First UTC day, such as 2026-11-01.")
@click.option("--until", required=True, help="Last UTC day, such as 2026-11-30.")
@click.option("--billed", help="Dollars that the upstream asks for these days.")
@place_options
@json_option
def course_invoice(since: str, until: str, billed: str | None, place: Place, as_json: bool) -> None:
    """The upstream's invoice against the ledger. Exit code 1 where they disagree.

    Of unconfirmed calls nobody knows whether the upstream billed them: an invoice between the least
    and the most agrees with the ledger.
    """
    from swsllm_nb.money import usd_text
    from swsllm_nb.proxy import invoice, words

    first, last = words.day(since), words.day(until)
    billed_pico = None if billed is None else words.budget_pico(billed)
    read = place.in_office(lambda office: office.store.read(lambda: invoice.billable(first, last)))
    agrees = None if billed_pico is None else read.least_pico <= billed_pico <= read.most_pico
    told: dict[str, Any] = {
        "since": first,
        "until": last,
        "charged_usd": usd_text(read.charged_pico),
        "least_usd": usd_text(read.least_pico),
        "most_usd": usd_text(read.most_pico),
        "billed_usd": None if billed_pico is None else usd_text(billed_pico),
        "agrees": agrees,
    }
    models = _models(read)
    show({**told, "models": models} if as_json else told, as_json)
    if not as_json:
        show(models, as_json)
    sys.exit(1 if agrees is False else 0)


def _models(read: "Billable") -> list[dict[str, Any]]:
    from swsllm_nb.proxy.public import in_usd

    return [in_usd(one) for one in read.models]
