"""``swsllm rehearse``."""

import asyncio
from dataclasses import asdict
from typing import Any

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show

__all__ = ["rehearse"]


@click.command()
@click.option(
    "--students", type=click.IntRange(1, 5000), default=300, show_default=True,
    help="Accounts of the class.",
)  # fmt: skip
@click.option(
    "--weeks", type=click.IntRange(1, 52), default=15, show_default=True,
    help="Of the semester; two thirds of it are over.",
)  # fmt: skip
@click.option(
    "--calls", type=click.IntRange(1, 2_000_000), default=120_000, show_default=True,
    help="So many are tried; who has no money left is refused.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another class.")
@place_options
@json_option
def rehearse(place: Place, as_json: bool, **size: int) -> None:
    """Make a new course with a class that never was, and print a staff key to look at it with.

    \b
    swsllm rehearse --data ./rehearsal
    swsllm serve --upstream practice --data ./rehearsal
    """
    from swsllm_nb.proxy import rehearsal
    from swsllm_nb.proxy.office import Office
    from swsllm_nb.proxy.store import database_at

    version, _ = asyncio.run(database_at(place.folder, place.database).migrate(rehearse=True))
    if version:
        raise ValueError(
            "There is a course already, and none of it may be mixed with a rehearsal. Name "
            "another --data or --database."
        )
    wanted = rehearsal.Rehearsal(**size)

    async def act(store: Any, secret: Any) -> rehearsal.Rehearsed:
        return await rehearsal.rehearse(Office(store, secret, "a rehearsal"), wanted)

    show(asdict(place.act(act, create=True)), as_json)
