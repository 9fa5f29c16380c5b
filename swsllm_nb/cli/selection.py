"""Commands that act on several accounts: which ones, and what became of each."""

import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, show
from swsllm_nb.cli.progress import progress

if TYPE_CHECKING:
    from swsllm_nb.proxy.course import Course
    from swsllm_nb.proxy.office import Done, Office
    from swsllm_nb.proxy.standing import Account

__all__ = ["Selection", "act_on", "selection", "show_account", "show_done"]


@dataclass(frozen=True)
class Selection:
    """Accounts by name; no name means all there are."""

    names: tuple[str, ...]


def selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command ``NAME...`` and ``--all`` as one argument ``accounts``."""

    @wraps(command)
    def selected(*args: Any, names: tuple[str, ...], everyone: bool, **options: Any) -> Any:
        if bool(names) == everyone:
            raise click.UsageError("State accounts by name, or --all for all there are.")
        return command(*args, accounts=Selection(names), **options)

    everyone = click.option("--all", "everyone", is_flag=True, help="All accounts there are.")
    return click.argument("names", nargs=-1, metavar="NAME...")(everyone(selected))


def act_on(
    accounts: Selection, act: "Callable[[Office, Sequence[str]], Coroutine[Any, Any, list[Done]]]"
) -> "Callable[[Office], Coroutine[Any, Any, tuple[list[Done], Course]]]":
    """What gives an office's answer, and the course to tell it with."""

    async def acting(office: "Office") -> "tuple[list[Done], Course]":
        names = accounts.names or [account.name for account in await office.accounts()]
        with progress(len(names), " accounts") as advance:
            done = await act(replace(office, progress=advance), names)
        return done, await office.course()

    return acting


def show_done(accounts: Selection, answer: "tuple[list[Done], Course]", as_json: bool) -> None:
    """One account that was named as itself, several as a list; exit code 1 where some could not."""
    from swsllm_nb.proxy.public import staff_account

    done, course = answer
    if len(accounts.names) == 1:
        (one,) = done
        if one.account is None:
            raise ValueError(one.sentence)
        show(staff_account(one.account, course), as_json)
        return
    rows = [
        {"account": one.name, "done": one.account is not None, "sentence": one.sentence}
        for one in done
    ]
    if as_json:
        now = [one.account and staff_account(one.account, course) for one in done]
        show([{**row, "now": account} for row, account in zip(rows, now, strict=True)], as_json)
    else:
        show(rows, as_json)
    if not all(row["done"] for row in rows):
        sys.exit(1)


def show_account(
    place: Place, act: "Callable[[Office], Coroutine[Any, Any, Account]]", as_json: bool
) -> None:
    """The account that an act gives."""
    from swsllm_nb.proxy.public import staff_account

    async def acting(office: "Office") -> dict[str, Any]:
        return staff_account(await act(office), await office.course())

    show(place.in_office(acting), as_json)
