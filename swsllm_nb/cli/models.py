"""``swsllm model``."""

from collections.abc import Callable
from typing import Any

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show

__all__ = ["model"]

_FIELDS = (
    click.option("--enable/--disable", "enabled", default=None, help="Offer it, or do not."),
    click.option("--default", is_flag=True, default=None, help="Take it where none is named."),
    click.option("--alias", "aliases", multiple=True, help='Another name; "" for none.'),
    click.option("--input", "input_usd", help="Dollars per million tokens, such as 0.15."),
    click.option("--cached-input", "cached_input_usd", help='"" for as much as any input.'),
    click.option("--cache-write", "cache_write_usd", help='"" for as much as any input.'),
    click.option("--output", "output_usd", help="Dollars per million tokens."),
    click.option("--multiplier", help="Of all these prices, such as 1.1 for a region."),
    click.option("--long-above", "long_above_tokens", type=int, help="Longer prompts cost more."),
    click.option("--long-input", "long_input_usd", help="Of prompts longer than that."),
    click.option("--long-cached-input", "long_cached_input_usd", help="Likewise."),
    click.option("--long-cache-write", "long_cache_write_usd", help="Likewise."),
    click.option("--long-output", "long_output_usd", help="Of answers to longer prompts."),
    click.option("--valid-from", help="First day of these prices. Default: today."),
    click.option("--source", help="Where the prices are from."),
    click.option("--context", "context_tokens", type=int, help="Tokens of prompt and answer."),
    click.option("--max-output", "max_output_tokens", type=int, help="Tokens of an answer."),
    click.option("--default-cap", "default_cap_tokens", type=int, help="Where none is asked."),
    click.option("--floor-cap", "floor_cap_tokens", type=int, help="The least it is lowered to."),
    click.option(
        "--cap-field",
        type=click.Choice(["max_tokens", "max_completion_tokens"]),
        help="The field that carries the maximum upstream.",
    ),
    click.option("--encoding", help="Of its tokens, such as o200k_base."),
    click.option("--shutdown-date", help='Last day plus one, such as 2027-01-14; "" for none.'),
    click.option("--successor", help='The model to name when this is gone; "" for none.'),
    click.option("--serve-by-successor/--do-not-serve", "serve_by_successor", default=None),
    click.option("--upstream-model", help="The dated snapshot that is asked for upstream."),
    click.option("--upstream", "upstreams", multiple=True, help='Who may serve it; "" for all.'),
)


def _model_fields(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_FIELDS):
        command = option(command)
    return command


def _stated(words: dict[str, Any]) -> dict[str, Any]:
    """The fields that were stated; an empty word takes a value away."""
    changes: dict[str, Any] = {}
    for field, word in words.items():
        if isinstance(word, tuple):
            if word:
                changes[field] = [name for name in word if name]
        elif word is not None:
            changes[field] = None if word == "" else word
    return changes


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


@model.command(
    "set",
    epilog="\b\nExamples:\n  swsllm model set gpt-4o --input 2.50 --output 10.00\n"
    "  swsllm model set gpt-4o --shutdown-date 2027-01-14 --successor gpt-6-luna",
)
@click.argument("name")
@_model_fields
@place_options
@json_option
def model_set(name: str, place: Place, as_json: bool, **words: Any) -> None:
    """Change a model; what is not stated stays. A price is a version: what held before is kept."""
    changes = _stated(words)
    if not changes:
        raise ValueError(
            "Nothing to change was stated; 'swsllm model set --help' shows what can be."
        )
    show(place.in_office(lambda office: office.set_model(name, **changes)), as_json)


@model.command(
    "add",
    epilog="\b\nExample:\n  swsllm model add gpt-4o-2025-11-20 --like gpt-4o --input 2.00 "
    "--output 8.00 --enable",
)
@click.argument("model_id", metavar="SNAPSHOT")
@click.option("--like", help="A model whose limits and rules it shares.")
@_model_fields
@place_options
@json_option
def model_add(model_id: str, like: str | None, place: Place, as_json: bool, **words: Any) -> None:
    """Add a model by the id of its dated snapshot; it is offered once its prices are stated."""
    changes = _stated(words)
    show(place.in_office(lambda office: office.add_model(model_id, like=like, **changes)), as_json)


@model.command(
    "retire", epilog="\b\nExample:\n  swsllm model retire gpt-4o --successor gpt-4o-mini"
)
@click.argument("name")
@click.option("--on", help="The first day without it, such as 2027-01-14. Default: today.")
@click.option("--successor", help="The model that students are told to use instead.")
@place_options
@json_option
def model_retire(
    name: str, on: str | None, successor: str | None, place: Place, as_json: bool
) -> None:
    """Offer a model no more; who asks for it is told since when, and what to use instead."""
    retired = place.in_office(lambda office: office.retire_model(name, on=on, successor=successor))
    show(retired, as_json)
