"""``swsllm deploy``: what a machine that serves a course needs."""

from pathlib import Path

import click

__all__ = ["deploy"]

_FOLDER = Path(__file__).parents[1] / "deploy"
_PAGE = "README.md"


@click.command()
@click.argument("name", default=_PAGE, type=click.Choice(sorted(p.name for p in _FOLDER.iterdir())))
def deploy(name: str) -> None:
    """Print how to run the proxy for a course, or one of the files that it takes.

    \b
      swsllm deploy                          the page: one machine, several, containers, backups
      swsllm deploy nginx.conf               one file, to be put where its first line says
    """
    click.echo((_FOLDER / name).read_text("utf-8"), nl=False)
