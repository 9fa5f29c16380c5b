"""``swsllm lab``, ``swsllm serve`` and ``swsllm migrate``."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, data_option, in_words, json_option, place_options, show

if TYPE_CHECKING:
    from swsllm_nb.proxy.settings import Settings

__all__ = ["lab", "migrate", "serve", "settings_options", "settings_told"]


@click.command()
@click.argument(
    "notebooks",
    metavar="[FOLDER]",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port of JupyterLab.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@data_option
@in_words
def lab(notebooks: Path | None, port: int | None, no_browser: bool, folder: Path | None) -> None:
    """Try it all: JupyterLab with a practice model, an account and $5 made for this run.

    FOLDER holds the notebooks; default: ./notebooks, else a copy of the course's own.
    """
    from swsllm_nb.proxy import settings
    from swsllm_nb.proxy.lab import Lab, notebook_folder

    # Its accounts are not those of a course.
    chosen = folder or settings.data_folder(None) / "lab"
    told = settings.Settings(
        folder=chosen,
        secret=settings.read_secret(chosen),
        upstreams=(settings.PRACTICE,),
        port=0,
    )
    opened = Lab(notebook_folder(notebooks), jupyter_port=port, browser=not no_browser)
    sys.exit(asyncio.run(opened.run(told, click.echo)))


_OPTIONS = (
    click.option(
        "--upstream",
        "upstreams",
        envvar="SWSLLM_UPSTREAM",
        required=True,
        multiple=True,
        help="'practice', or the base URL of an OpenAI-compatible server. Its key is read from "
        "SWSLLM_UPSTREAM_KEY. Several, the preferred one first, as NAME=URL, each with its "
        "SWSLLM_UPSTREAM_KEY_<NAME>.",
    ),
    click.option(
        "--host",
        envvar="SWSLLM_HOST",
        default="127.0.0.1",
        show_default=True,
        help="Address to listen on.",
    ),
    click.option(
        "--port",
        envvar="SWSLLM_PORT",
        type=click.IntRange(0, 65535),
        default=8000,
        show_default=True,
        help="0 for any that is free.",
    ),
    click.option(
        "--prefix",
        envvar="SWSLLM_PREFIX",
        help="Path the proxy lives under, such as /sws-llm-proxy. Default: that of --public-url.",
    ),
    click.option(
        "--public-url",
        envvar="SWSLLM_PUBLIC_URL",
        help="The address that students use, such as https://llm.example.org/sws-llm-proxy.",
    ),
    click.option(
        "--trusted-proxy",
        "trusted_proxies",
        envvar="SWSLLM_TRUSTED_PROXIES",
        multiple=True,
        help="IP address or network of a front proxy whose X-Forwarded-For, -Proto and -Host are "
        "believed. Default: none is.",
    ),
    click.option(
        "--metrics",
        envvar="SWSLLM_METRICS",
        help="Address for Prometheus, such as 127.0.0.1:9100 (or a port of this machine alone).",
    ),
    click.option(
        "--workers",
        envvar="SWSLLM_WORKERS",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Serving processes; more than one needs --database.",
    ),
)


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command all that ``settings_told`` reads, but for the place."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settings_told(
    place: Place, upstreams: tuple[str, ...], prefix: str | None, public_url: str | None,
    trusted_proxies: tuple[str, ...], metrics: str | None, **listening: Any,
) -> "Settings":  # fmt: skip
    """What is to be served, and how, in the words of ``settings_options``."""
    from swsllm_nb.proxy import settings
    from swsllm_nb.proxy.forwarded import read_network

    public = settings.checked_public_url(public_url)
    return settings.Settings(
        folder=place.folder,
        secret=settings.read_secret(place.folder),
        upstreams=settings.read_upstreams(upstreams),
        prefix=settings.checked_prefix(prefix, public),
        public_url=public,
        trusted_proxies=tuple(map(read_network, trusted_proxies)),
        metrics=settings.read_address(metrics) if metrics else None,
        database=place.database,
        **listening,
    )


@click.command()
@settings_options
@place_options
def serve(place: Place, **words: Any) -> None:
    """Run the proxy. Prints its base URL on the first line; 'swsllm deploy' tells of the rest.

    \b
    swsllm serve --upstream practice
    swsllm serve --upstream https://api.openai.com/v1 --prefix /sws-llm-proxy --data ./course
    swsllm serve --config /etc/swsllm/swsllm.toml
    """
    from swsllm_nb.proxy import settings
    from swsllm_nb.proxy import workers as serving

    told = settings_told(place, **words)
    for number, one in enumerate(told.upstreams):
        if one != settings.PRACTICE and one.key is None:
            missing = f"There is no key for {one.name}: it is asked without one."
            variable = settings.key_variable(one.name) if number else "SWSLLM_UPSTREAM_KEY"
            click.echo(f"{missing} Is {variable} set?", err=True)
    serving.run(told, click.echo, lambda sentence: click.echo(sentence, err=True))


@click.command()
@click.option("--rehearse", is_flag=True, help="Only try it, and change nothing.")
@place_options
@json_option
def migrate(rehearse: bool, place: Place, as_json: bool) -> None:
    """Bring the database to this program's version, as 'serve' does when it starts."""
    from swsllm_nb.proxy.store import database_at

    before, after = asyncio.run(database_at(place.folder, place.database).migrate(rehearse))
    show({"from_version": before, "to_version": after, "rehearsed": rehearse}, as_json)
