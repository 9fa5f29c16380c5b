"""``swsllm doctor``: whether a course can be served."""

import asyncio
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show
from swsllm_nb.cli.serving import settings_options, settings_told

if TYPE_CHECKING:
    from swsllm_nb.proxy.machine import Finding

__all__ = ["doctor"]


@click.command()
@settings_options
@place_options
@json_option
def doctor(place: Place, as_json: bool, **words: Any) -> None:
    """Look whether a course can be served as it is told here: upstream and its key, models and
    how long they live, clock, disk, database, and who can read the secrets.

    Takes the options of 'swsllm serve'. Asks no question that costs anything. Exit code 1 where
    something is wrong.

    \b
    swsllm doctor --config /etc/swsllm/swsllm.toml
    swsllm doctor --upstream https://api.openai.com/v1 --data ./course --json
    """
    from swsllm_nb.proxy.settings import require_secret

    place.require_course()
    require_secret(place.folder)
    findings = asyncio.run(_findings(settings_told(place, **words), as_json))
    if as_json:
        show([asdict(finding) for finding in findings], as_json)
    sys.exit(int(any(finding.verdict == "wrong" for finding in findings)))


async def _findings(settings: Any, as_json: bool) -> "list[Finding]":
    """All findings; for people each is shown as soon as it is there."""
    from swsllm_nb.proxy.checkup import checkup

    found = []
    async for finding in checkup(settings, os.environ):
        found.append(finding)
        if not as_json:
            click.echo(f"{finding.verdict.ljust(5)}  {finding.subject}: {finding.sentence}")
    return found
