"""``swsllm account``, ``swsllm budget`` and ``swsllm key``."""

import sys
from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show

if TYPE_CHECKING:
    from swsllm_nb.proxy.office import Done
    from swsllm_nb.proxy.standing import Account

__all__ = ["account", "budget", "key", "public", "show_done"]

_names = click.argument("names", nargs=-1, required=True, metavar="NAME...")


@click.group()
def account() -> None:
    """Students' accounts."""


@account.command("add")
@click.argument("name")
@click.option("--budget", help="Dollars granted, such as 5.00; default: the course's.")
@click.option("--full-name", default="", help="Whose it is; only staff see it.")
@click.option("--email", default="")
@place_options
@json_option
def account_add(
    name: str, budget: str | None, full_name: str, email: str, place: Place, as_json: bool
) -> None:
    """Add an account with a budget; its key and password are shown this once."""
    from swsllm_nb.money import usd_text

    made = place.in_office(
        lambda office: office.add_account(name, budget, full_name=full_name, email=email),
        create=True,
    )
    shown = {
        "account": made.account.name,
        "budget_usd": usd_text(made.account.budget_pico),
        "key": made.key,
        "password": made.password,
    }
    show(shown, as_json)


@account.command("list")
@place_options
@json_option
def account_list(place: Place, as_json: bool) -> None:
    """All accounts with what is granted, spent, held and left."""
    rows = [public(row) for row in place.in_office(lambda office: office.accounts())]
    fields = ("account", "budget_usd", "spend_usd", "reserved_usd", "remaining_usd", "enabled")
    show(rows if as_json else [{name: row[name] for name in fields} for row in rows], as_json)


@account.command("show")
@click.argument("name")
@place_options
@json_option
def account_show(name: str, place: Place, as_json: bool) -> None:
    """One account with its money and its limits."""
    show(public(place.in_office(lambda office: office.account(name))), as_json)


@account.command("disable")
@_names
@place_options
@json_option
def account_disable(names: tuple[str, ...], place: Place, as_json: bool) -> None:
    """Admit no more calls of accounts; running ones finish."""
    show_done(place.in_office(lambda office: office.disable(names)), as_json)


@account.command("enable")
@_names
@place_options
@json_option
def account_enable(names: tuple[str, ...], place: Place, as_json: bool) -> None:
    """Admit the calls of accounts again."""
    show_done(place.in_office(lambda office: office.enable(names)), as_json)


@account.command("delete")
@_names
@click.confirmation_option(prompt="Keys stop working and names are forgotten. Sure?")
@place_options
@json_option
def account_delete(names: tuple[str, ...], place: Place, as_json: bool) -> None:
    """Take people out of the course; the ledger stays, under numbers."""
    show_done(place.in_office(lambda office: office.delete(names)), as_json)


@account.command("rename")
@click.argument("name")
@click.argument("new_name")
@place_options
@json_option
def account_rename(name: str, new_name: str, place: Place, as_json: bool) -> None:
    """Give an account another name; key, budget and ledger stay."""
    renamed = place.in_office(lambda office: office.edit(name, new_name=new_name))
    show(public(renamed), as_json)


@account.command("limit")
@_names
@click.option("--in-flight", type=int, help="Calls that may run at once.")
@click.option("--per-minute", type=int, help="Calls that may begin within a minute.")
@click.option("--models", help='Model ids, parted by commas; "" for all.')
@click.option("--from", "begins", help='First day, such as 2027-01-10; "" for none.')
@click.option("--until", "ends", help='Last day, such as 2027-02-28; "" for none.')
@place_options
@json_option
def account_limit(names: tuple[str, ...], place: Place, as_json: bool, **stated: Any) -> None:
    """Say what accounts may do beside their budgets; what is not stated stays."""
    from swsllm_nb.proxy import words

    limits = words.limits(**stated)
    show_done(place.in_office(lambda office: office.limit(names, limits)), as_json)


@click.group()
def budget() -> None:
    """What accounts may spend."""


@budget.command("grant", context_settings={"ignore_unknown_options": True})
@_names
@click.argument("usd")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@place_options
@json_option
def budget_grant(
    names: tuple[str, ...], usd: str, reason: str, place: Place, as_json: bool
) -> None:
    """Add dollars to budgets, such as 2.50; a negative amount takes back what is left."""
    show_done(place.in_office(lambda office: office.grant(names, usd, reason)), as_json)


@budget.command("credit")
@click.argument("request_id")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@place_options
@json_option
def budget_credit(request_id: str, reason: str, place: Place, as_json: bool) -> None:
    """Give back what an unconfirmed call was charged."""
    show(public(place.in_office(lambda office: office.credit(request_id, reason))), as_json)


@click.group()
def key() -> None:
    """Students' API keys."""


@key.command("new")
@click.argument("name")
@place_options
@json_option
def key_new(name: str, place: Place, as_json: bool) -> None:
    """A new key, shown this once; the old one stops working everywhere at once."""
    show({"account": name, "key": place.in_office(lambda office: office.renew_key(name))}, as_json)


@key.command("revoke")
@click.argument("name")
@place_options
@json_option
def key_revoke(name: str, place: Place, as_json: bool) -> None:
    """Let no key of an account work any more."""
    revoked = place.in_office(lambda office: office.revoke_keys(name))
    show({"account": name, "keys_revoked": revoked}, as_json)


def show_done(done: "list[Done]", as_json: bool) -> None:
    """One account as itself, several as a list; exit code 1 where some could not."""
    if len(done) == 1:
        (one,) = done
        if one.account is None:
            raise ValueError(one.sentence)
        show(public(one.account), as_json)
        return
    rows = [
        {"account": one.name, "done": one.sentence is None, "sentence": one.sentence}
        for one in done
    ]
    show(rows, as_json)
    if not all(row["done"] for row in rows):
        sys.exit(1)


def public(row: "Account") -> dict[str, Any]:
    """An account as staff see it: its student's view, and its limits."""
    from swsllm_nb.proxy.views import public_account

    return {
        **public_account(row),
        "enabled": row.enabled,
        "in_flight_limit": row.in_flight_limit,
        "per_minute_limit": row.per_minute_limit,
        "valid_from": row.valid_from,
        "allowed_models": row.allowed_models,
    }
