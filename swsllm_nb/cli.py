"""The words at the prompt. Each command imports what it needs when it runs."""

import asyncio
import getpass
import json
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from swsllm_nb.proxy.auth import Secret
    from swsllm_nb.proxy.store import Store

__all__ = ["main"]

_Result = TypeVar("_Result")

_data_option = click.option(
    "--data",
    "folder",
    envvar="SWSLLM_DATA",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the database and the secret. Default: a folder of yours.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def main() -> None:
    """Run the command line; a mistake is one sentence and a non-zero exit code."""
    try:
        commands(prog_name="swsllm")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("swsllm_nb", ""):
            raise
        sys.exit(
            f"swsllm: this needs the package {missing}. "
            "Install what a teacher runs: pip install 'swsllm-nb[lab]'"
        )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="swsllm-nb")
def commands() -> None:
    """A course's language models in notebooks, within each student's budget."""


def _in_words(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """Bad input and a machine that says no become one sentence."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> _Result:
        try:
            return command(*args, **options)
        except (ValueError, OSError) as error:
            raise click.ClickException(str(error)) from None

    return run


@commands.command()
@click.argument(
    "notebooks",
    metavar="[FOLDER]",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port of JupyterLab.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@_data_option
@_in_words
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
        upstream=settings.PRACTICE,
        port=0,
    )
    opened = Lab(notebook_folder(notebooks), jupyter_port=port, browser=not no_browser)
    sys.exit(asyncio.run(opened.run(told, click.echo)))


@commands.command("serve")
@click.option(
    "--upstream",
    envvar="SWSLLM_UPSTREAM",
    required=True,
    help="'practice', or the base URL of an OpenAI-compatible server. "
    "Its key is read from SWSLLM_UPSTREAM_KEY.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--prefix", default="", help="Path the proxy lives under, such as /sws-llm-proxy.")
@_data_option
@_in_words
def serve_command(upstream: str, host: str, port: int, prefix: str, folder: Path | None) -> None:
    """Run the proxy. Prints its base URL on the first line."""
    from swsllm_nb.proxy import serve, settings

    chosen = settings.data_folder(folder)
    told = settings.Settings(
        folder=chosen,
        secret=settings.read_secret(chosen),
        upstream=upstream,
        upstream_key=settings.read_upstream_key(),
        host=host,
        port=port,
        prefix=prefix.rstrip("/"),
    )
    if told.upstream != settings.PRACTICE and told.upstream_key is None:
        click.echo("SWSLLM_UPSTREAM_KEY is not set: the upstream is asked without a key.", err=True)
    serve.run(serve.serve(told, click.echo))


@commands.group()
def account() -> None:
    """Students' accounts: add, list, show."""


@account.command("add")
@click.argument("name")
@click.option("--budget", required=True, help="Dollars granted, such as 5.00.")
@_data_option
@_json_option
@_in_words
def account_add(name: str, budget: str, folder: Path | None, as_json: bool) -> None:
    """Add an account with a budget; its key and password are shown this once."""
    from swsllm_nb.money import usd_text
    from swsllm_nb.proxy import staff

    async def add(store: "Store", secret: "Secret") -> staff.Credentials:
        return await staff.add_account(store, secret, name, budget, author=_author())

    made = _with_store(folder, add)
    shown = {
        "account": made.account.name,
        "budget_usd": usd_text(made.account.budget_pico),
        "key": made.key,
        "password": made.password,
    }
    _print(shown, as_json)


@account.command("list")
@_data_option
@_json_option
@_in_words
def account_list(folder: Path | None, as_json: bool) -> None:
    """All accounts with what is granted, spent, held and left."""
    from swsllm_nb.proxy.views import public_account

    rows = [public_account(row) for row in _with_store(folder, lambda store, _: store.accounts())]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    fields = ("account", "budget_usd", "spend_usd", "reserved_usd", "remaining_usd")
    table = [fields, *(tuple(str(row[field]) for field in fields) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(fields))]
    for line in table:
        cells = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        click.echo("  ".join((line[0].ljust(widths[0]), *cells)))


@account.command("show")
@click.argument("name")
@_data_option
@_json_option
@_in_words
def account_show(name: str, folder: Path | None, as_json: bool) -> None:
    """One account with what is granted, spent, held and left."""
    from swsllm_nb.proxy.settings import data_folder
    from swsllm_nb.proxy.views import public_account

    found = _with_store(folder, lambda store, _: store.account(name))
    if found is None:
        place = data_folder(folder)
        raise ValueError(
            f"There is no account {name!r} in {place}. 'swsllm account list' shows those there are."
        )
    _print(public_account(found), as_json)


def _author() -> str:
    """Who acts, for the ledger; a container's user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "staff"


def _with_store(
    folder: Path | None, act: "Callable[[Store, Secret], Coroutine[Any, Any, _Result]]"
) -> _Result:
    from swsllm_nb.proxy import settings
    from swsllm_nb.proxy.store import Store

    chosen = settings.data_folder(folder)
    secret = settings.read_secret(chosen)

    async def run() -> _Result:
        async with Store(chosen) as store:
            return await act(store, secret)

    return asyncio.run(run())


def _print(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(shown))
        return
    width = max(map(len, shown))
    for name, value in shown.items():
        if value is not None:
            click.echo(f"{name.ljust(width)}  {value}")
