"""``swsllm budget`` and ``swsllm key``."""

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show
from swsllm_nb.cli.selection import Selection, act_on, selection, show_account, show_done

__all__ = ["budget", "key"]


@click.group()
def budget() -> None:
    """What accounts may spend."""


@budget.command(
    "grant",
    context_settings={"ignore_unknown_options": True},
    epilog="\b\nExamples:\n  swsllm budget grant ada 2.50 --reason 'for the exam'\n"
    "  swsllm budget grant --all 1.00 --reason 'for the project'\n"
    "  swsllm budget grant ada -1.00 --reason 'granted twice'",
)
@selection
@click.argument("usd")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@place_options
@json_option
def budget_grant(accounts: Selection, usd: str, reason: str, place: Place, as_json: bool) -> None:
    """Add dollars to budgets, such as 2.50; a negative amount takes back what is left."""
    acting = act_on(accounts, lambda office, names: office.grant(names, usd, reason))
    show_done(accounts, place.in_office(acting), as_json)


@budget.command("credit")
@click.argument("request_id")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@place_options
@json_option
def budget_credit(request_id: str, reason: str, place: Place, as_json: bool) -> None:
    """Give back what an unconfirmed call was charged."""
    show_account(place, lambda office: office.credit(request_id, reason), as_json)


@click.group()
def key() -> None:
    """Students' API keys."""


@key.command("new")
@click.argument("name")
@place_options
@json_option
def key_new(name: str, place: Place, as_json: bool) -> None:
    """A new key, shown this once; the old one stops working everywhere at once.

    Where the student can sign in to the page, take 'swsllm key renew' instead: then nobody else
    sees the key.
    """
    show({"account": name, "key": place.in_office(lambda office: office.renew_key(name))}, as_json)


@key.command("renew")
@selection
@place_options
@json_option
def key_renew(accounts: Selection, place: Place, as_json: bool) -> None:
    """New keys that only their students see, on the page; the old ones stop working at once."""
    acting = act_on(accounts, lambda office, names: office.renew_keys(names))
    show_done(accounts, place.in_office(acting), as_json)


@key.command("revoke")
@click.argument("name")
@place_options
@json_option
def key_revoke(name: str, place: Place, as_json: bool) -> None:
    """Let no key of an account work any more."""
    revoked = place.in_office(lambda office: office.revoke_keys(name))
    show({"account": name, "keys_revoked": revoked}, as_json)
