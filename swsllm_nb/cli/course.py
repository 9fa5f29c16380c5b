"""``swsllm course``, ``swsllm model`` and ``swsllm ledger``."""

import sys

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show

__all__ = ["course", "ledger", "model"]


@click.group()
def course() -> None:
    """What holds for the course as a whole."""


@course.command("show")
@place_options
@json_option
def course_show(place: Place, as_json: bool) -> None:
    """The cap of the course, and what all accounts together have been granted and spent."""
    from swsllm_nb.money import usd_text
    from swsllm_nb.proxy import books

    sums = place.act(lambda store, _: store.read(books.course_sums))
    shown = {
        name.replace("_pico", "_usd"): value if value is None else usd_text(value)
        for name, value in sums.items()
    }
    show(shown, as_json)


@course.command("set")
@click.option("--cap", required=True, help='Dollars that all may spend together; "" for no cap.')
@place_options
@json_option
def course_set(cap: str, place: Place, as_json: bool) -> None:
    """Set the most that all accounts together may spend."""
    from swsllm_nb.proxy import accounts, staff

    cap_pico = staff.budget_pico(cap) if cap else None
    place.act(lambda store, _: store.write(lambda: accounts.set_course_cap(cap_pico)), create=True)
    show({"cap_usd": cap or None}, as_json)


@click.group()
def model() -> None:
    """The catalogue: models, prices, limits."""


@click.group()
def ledger() -> None:
    """The books."""


@ledger.command("check")
@place_options
@json_option
def ledger_check(place: Place, as_json: bool) -> None:
    """Prove on the live database that every account is the sum of its rows. Exit code 1 if not."""
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
        },
        as_json,
    )
    sys.exit(0 if check.adds_up else 1)
