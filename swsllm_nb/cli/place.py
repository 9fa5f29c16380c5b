"""What most commands share: where the course is, how to act on it, how to print the answer."""

import asyncio
import getpass
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from swsllm_nb.proxy.auth import Secret
    from swsllm_nb.proxy.office import Office
    from swsllm_nb.proxy.store import Store

__all__ = ["Place", "author", "data_option", "in_words", "json_option", "place_options", "show"]

_NUMBERS = ("", *"-0123456789")

Words = ParamSpec("Words")
Result = TypeVar("Result")

data_option = click.option(
    "--data",
    "folder",
    envvar="SWSLLM_DATA",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the database and the secret. Default: a folder of yours.",
)


def _read_config(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Lets the settings file say what neither a flag nor the environment says."""
    if path is None:
        return
    from swsllm_nb.proxy.settings_file import read_settings_file

    try:
        told = read_settings_file(path)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    names = {f"SWSLLM_{name.upper()}": name for name in told}
    context.default_map = {
        parameter.name: [value] if parameter.multiple and isinstance(value, str) else value
        for parameter in context.command.params
        if isinstance(parameter, click.Option)
        and isinstance(parameter.envvar, str)
        and parameter.name is not None
        and (value := told.get(names.get(parameter.envvar, ""))) is not None
    }


_config_option = click.option(
    "--config",
    envvar="SWSLLM_CONFIG",
    type=click.Path(dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="A settings file in TOML; flags and the environment come first.",
)
_database_option = click.option(
    "--database",
    envvar="SWSLLM_DATABASE",
    help="A PostgreSQL instead, such as postgresql://user:password@host/name.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


@dataclass(frozen=True)
class Place:
    """Where a course is kept: a folder, and for PostgreSQL an address."""

    folder: Path
    database: str | None

    def in_office(
        self, act: "Callable[[Office], Coroutine[Any, Any, Result]]", *, create: bool = False
    ) -> Result:
        """Let the person at the prompt act. Raises ValueError where there is no course yet."""
        from swsllm_nb.proxy.office import Office

        return self.act(lambda store, secret: act(Office(store, secret, author())), create=create)

    def act(
        self, act: "Callable[[Store, Secret], Coroutine[Any, Any, Result]]", *, create: bool = False
    ) -> Result:
        """Run ``act`` on the course's store. Raises ValueError where there is no course yet."""
        from swsllm_nb.proxy import settings
        from swsllm_nb.proxy.office import check_secret
        from swsllm_nb.proxy.store import Store, database_at

        if not create:
            self.require_course()
        secret = settings.read_secret(self.folder)

        async def run() -> Result:
            async with Store(database_at(self.folder, self.database)) as store:
                await check_secret(store, secret)
                return await act(store, secret)

        return asyncio.run(run())

    def require_course(self) -> None:
        """Raises ValueError where there is no course yet."""
        if not self.exists:
            raise ValueError(
                f"There is no course in {self.folder} yet. 'swsllm account add', 'swsllm staff "
                "add' and 'swsllm serve' make one; was another --data meant?"
            )

    @property
    def exists(self) -> bool:
        from swsllm_nb.proxy.sqlite import DATABASE_NAME

        return self.database is not None or (self.folder / DATABASE_NAME).exists()


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command ``--data``, ``--database`` and ``--config`` as one argument ``place``."""

    @wraps(command)
    def placed(*args: Any, folder: Path | None, database: str | None, **options: Any) -> Any:
        from swsllm_nb.proxy.settings import checked_database, data_folder

        place = Place(data_folder(folder), checked_database(database))
        return command(*args, place=place, **options)

    return data_option(_database_option(_config_option(in_words(placed))))


def in_words(command: Callable[Words, Result]) -> Callable[Words, Result]:
    """Bad input and a machine that says no become one sentence."""

    @wraps(command)
    def run(*args: Words.args, **options: Words.kwargs) -> Result:
        from swsllm_nb.proxy.errors import StoreUnavailable

        try:
            return command(*args, **options)
        except BrokenPipeError:
            # Of ``| head``, which has seen enough: click ends without a word.
            raise
        except (ValueError, OSError, StoreUnavailable) as error:
            raise click.ClickException(str(error)) from None

    return run


def author() -> str:
    """Who acts, for the ledger; a container's user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "staff"


def show(
    shown: Mapping[str, Any] | Sequence[Mapping[str, Any]], as_json: bool, *, err: bool = False
) -> None:
    """One thing as lines, many as a table, or either as JSON."""
    if as_json:
        click.echo(json.dumps(shown, indent=None if isinstance(shown, Mapping) else 2), err=err)
    elif isinstance(shown, Mapping):
        width = max(map(len, shown))
        for name, value in shown.items():
            if value is not None:
                click.echo(f"{name.ljust(width)}  {_cell(value)}", err=err)
    elif shown:
        click.echo("\n".join(_table(shown)), err=err)


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines with names to the left, numbers to the right."""
    columns = []
    for field in rows[0]:
        cells = [_cell(row[field]) for row in rows]
        width = max(map(len, (field, *cells)))
        to_the_right = all(cell[:1] in _NUMBERS for cell in cells)
        pad = str.rjust if to_the_right else str.ljust
        columns.append([pad(cell, width) for cell in (field, *cells)])
    return ("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
