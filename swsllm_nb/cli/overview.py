"""``swsllm course overview``."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show

__all__ = ["course_overview"]

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
