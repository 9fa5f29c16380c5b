"""``swsllm deploy``, ``swsllm backup`` and ``swsllm restore``: what a machine that serves needs."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, author, json_option, place_options, show

if TYPE_CHECKING:
    from swsllm_nb.proxy.auth import Secret
    from swsllm_nb.proxy.store import Store

__all__ = ["backup", "deploy", "restore"]

_FOLDER = Path(__file__).parents[1] / "deploy"
_PAGE = "README.md"


@click.command()
@click.argument("name", default=_PAGE, type=click.Choice(sorted(p.name for p in _FOLDER.iterdir())))
def deploy(name: str) -> None:
    """Print how to run the proxy for a course, or one of the files that it takes.

    \b
    swsllm deploy                  the page: one machine, several, containers, backups
    swsllm deploy nginx.conf       one file, to be put where its first line says
    """
    click.echo((_FOLDER / name).read_text("utf-8"), nl=False)


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@place_options
@json_option
def backup(target: Path, place: Place, as_json: bool) -> None:
    """Copy the course's database to TARGET, a file or a folder, while the proxy serves.

    The secret is not in it: keep the file 'secret' apart, and as well.

    \b
    swsllm backup /var/backups/swsllm                a new file there, named after the time
    swsllm backup --config /etc/swsllm/swsllm.toml before-the-exam.sqlite3
    """
    from swsllm_nb.proxy.backup import back_up

    place.require_course()
    written = back_up(place.folder, place.database, target)
    show({"backup": str(written), "bytes": written.stat().st_size}, as_json)


@click.command()
@click.argument("backup", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@place_options
@json_option
def restore(backup: Path, place: Place, as_json: bool) -> None:
    """Make a course again from a backup, where there is none, beside the secret that it had.

    Calls that ran during the backup are charged in full, as unconfirmed. What was spent, renewed or
    granted after it is forgotten.

    \b
    mkdir again && cp secret again/
    swsllm restore --data again /var/backups/swsllm/swsllm-20261123T033012Z.sqlite3
    """
    from swsllm_nb.proxy.backup import restore as make_again
    from swsllm_nb.proxy.settings import require_secret

    require_secret(place.folder)
    asyncio.run(make_again(backup, place.folder, place.database))
    show(place.act(_restored), as_json)


async def _restored(store: "Store", _: "Secret") -> dict[str, Any]:
    """Who was signed in signs in again; whether the books add up."""
    from swsllm_nb.proxy import books
    from swsllm_nb.proxy.audit import note
    from swsllm_nb.proxy.work import Work, ask

    def sign_out() -> Work[None]:
        yield ask("DELETE FROM sessions")
        yield from note(author(), "restore")

    await store.write(sign_out)
    check = await store.read(books.check)
    return {
        "adds_up": check.adds_up,
        "accounts": check.accounts,
        "calls": check.calls,
        "held": check.held,
        "unconfirmed": check.unconfirmed,
    }
