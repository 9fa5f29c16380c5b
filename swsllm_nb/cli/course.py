"""``swsllm course`` and ``swsllm ledger``."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show

if TYPE_CHECKING:
    from swsllm_nb.proxy.course import Course

__all__ = ["course", "ledger"]


@click.group()
def course() -> None:
    """What holds for the course as a whole."""


@course.command("show")
@place_options
@json_option
def course_show(place: Place, as_json: bool) -> None:
    """What was said of the course, and what all accounts together were granted and spent."""
    from swsllm_nb.proxy import books

    described = place.in_office(lambda office: office.course())
    sums = place.act(lambda store, _: store.read(books.course_sums))
    show({**_told(described), **_usd(sums)}, as_json)


@course.command(
    "set",
    epilog="\b\nExamples:\n"
    "  swsllm course set --name 'Language models' --begins 2026-10-01 --ends 2027-03-31\n"
    "  swsllm course set --default-budget 5.00 --contact 'llm-staff@uni.example'\n"
    '  swsllm course set --cap ""',
)
@click.option("--name", help="What students read above their budget.")
@click.option("--begins", help="First day, such as 2026-10-01.")
@click.option("--ends", help="Last day, such as 2027-03-31.")
@click.option("--contact", help="Whom to ask for more budget: an address, an office.")
@click.option("--language", help="Of the page, where a browser asks for neither: de or en.")
@click.option("--default-budget", "default_budget_usd", help="Dollars of a new account.")
@click.option("--models", "default_models", help="Of a new account, parted by commas.")
@click.option("--cap", "cap_usd", help="Dollars that all accounts together may spend.")
@click.option(
    "--retention-days",
    help="For how long calls are kept one by one; what staff did is always kept.",
)
@click.option("--keys-shown-once", help="yes: keep no key, so that none can be shown again; or no.")
@place_options
@json_option
def course_set(place: Place, as_json: bool, **words: str | None) -> None:
    """Say what holds for the course; what is not stated stays, and "" takes a word away.

    Days, models and the default budget are what new accounts are given. Those there are keep
    theirs: 'swsllm account limit --all' changes them.
    """
    show(_told(place.in_office(lambda office: office.set_course(**words))), as_json)


def _told(described: "Course") -> dict[str, Any]:
    words = asdict(described)
    return {"course": words.pop("name"), **_usd(words)}


def _usd(amounts: Mapping[str, Any]) -> dict[str, Any]:
    """Pico-dollars under names that end so, as exact dollars."""
    from swsllm_nb.money import usd_text

    return {
        name.replace("_pico", "_usd"): (
            usd_text(value) if name.endswith("_pico") and value is not None else value
        )
        for name, value in amounts.items()
    }


@click.group()
def ledger() -> None:
    """The books."""


@ledger.command("check")
@place_options
@json_option
def ledger_check(place: Place, as_json: bool) -> None:
    """Prove on the live database that every account is the sum of its rows. Exit code 1 if not.

    Every cost is reckoned again, and every day's sums with it.
    """
    from swsllm_nb.money import usd_text
    from swsllm_nb.proxy import books

    check = place.act(lambda store, _: store.read(books.check))
    show(
        {
            "adds_up": check.adds_up,
            "accounts": check.accounts,
            "calls": check.calls,
            "budget_usd": usd_text(check.budget_pico),
            "spend_usd": usd_text(check.spend_pico),
            "reserved_usd": usd_text(check.reserved_pico),
            "held": check.held,
            "unconfirmed": check.unconfirmed,
            "unconfirmed_usd": usd_text(check.unconfirmed_pico),
            "breaches": check.breaches,
            "differences": check.differences,
            "wrong_costs": check.wrong_costs,
            "wrong_days": check.wrong_days,
        },
        as_json,
    )
    sys.exit(0 if check.adds_up else 1)
