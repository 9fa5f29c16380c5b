"""``swsllm course``, ``swsllm model`` and ``swsllm ledger``."""

import sys
from typing import Any

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
@click.option("--cap", "cap_usd", help='Dollars that all may spend together; "" for no cap.')
@place_options
@json_option
def course_set(place: Place, as_json: bool, **words: Any) -> None:
    """Say what holds for the course; what is not stated stays."""
    from swsllm_nb.money import usd_text

    changed = place.in_office(lambda office: office.set_course(**words))
    cap_pico = changed.cap_pico
    show({"cap_usd": None if cap_pico is None else usd_text(cap_pico)}, as_json)


@click.group()
def model() -> None:
    """The catalogue: models, prices, limits."""


@model.command("list")
@place_options
@json_option
def model_list(place: Place, as_json: bool) -> None:
    """All models with their prices, limits and shut-down dates, also those switched off."""
    from swsllm_nb.catalogue import packaged_rows
    from swsllm_nb.proxy.models import listed_models
    from swsllm_nb.proxy.offer import utc_today

    if place.exists:
        rows = place.in_office(lambda office: office.models())
    else:
        rows = listed_models(packaged_rows(), utc_today())
    fields = ("model", "enabled", "input_usd", "output_usd", "shutdown_date", "successor")
    show(rows if as_json else [{name: row[name] for name in fields} for row in rows], as_json)


@model.command("set")
@click.argument("name")
@click.option("--enable/--disable", "enabled", default=None, help="Offer it, or do not.")
@click.option("--default", is_flag=True, default=None, help="Take it where none is named.")
@click.option("--input", "input_usd", help="Dollars per million tokens, such as 0.15.")
@click.option("--cached-input", "cached_input_usd", help='As long as none is known: "".')
@click.option("--cache-write", "cache_write_usd", help='As long as none is known: "".')
@click.option("--output", "output_usd")
@click.option("--valid-from", help="First day of these prices; default: today.")
@click.option("--source", help="Where the prices are from.")
@click.option("--context", "context_tokens", type=int, help="Tokens of prompt and answer.")
@click.option("--max-output", "max_output_tokens", type=int)
@click.option("--default-cap", "default_cap_tokens", type=int, help="Where no maximum is asked.")
@click.option("--floor-cap", "floor_cap_tokens", type=int, help="The least a budget lowers it to.")
@click.option("--shutdown-date", help='Last day plus one, such as 2027-01-14; "" for none.')
@click.option("--successor", help='The model to name when this is gone; "" for none.')
@click.option("--serve-by-successor/--do-not-serve", "serve_by_successor", default=None)
@click.option("--upstream-model", help="The dated snapshot that is asked for upstream.")
@place_options
@json_option
def model_set(name: str, place: Place, as_json: bool, **words: Any) -> None:
    """Change a model; what is not stated stays. A price is a version: what held before is kept."""
    changes = {
        field: word or None if word == "" else word
        for field, word in words.items()
        if word is not None
    }
    if not changes:
        raise ValueError(
            "Nothing to change was stated; 'swsllm model set --help' shows what can be."
        )

    show(place.in_office(lambda office: office.set_model(name, **changes)), as_json)


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
