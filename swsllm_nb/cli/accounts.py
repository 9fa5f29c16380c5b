"""``swsllm account``, ``swsllm budget`` and ``swsllm key``."""

from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, author, json_option, place_options, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from swsllm_nb.proxy.standing import Account
    from swsllm_nb.proxy.work import Work

__all__ = ["account", "budget", "key"]


@click.group()
def account() -> None:
    """Students' accounts."""


@account.command("add")
@click.argument("name")
@click.option("--budget", required=True, help="Dollars granted, such as 5.00.")
@place_options
@json_option
def account_add(name: str, budget: str, place: Place, as_json: bool) -> None:
    """Add an account with a budget; its key and password are shown this once."""
    from swsllm_nb.money import usd_text
    from swsllm_nb.proxy import staff

    made = place.act(
        lambda store, secret: staff.add_account(store, secret, name, budget, author=author()),
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
    rows = [_public(row) for row in place.act(lambda store, _: store.accounts())]
    fields = ("account", "budget_usd", "spend_usd", "reserved_usd", "remaining_usd", "enabled")
    show(rows if as_json else [{name: row[name] for name in fields} for row in rows], as_json)


@account.command("show")
@click.argument("name")
@place_options
@json_option
def account_show(name: str, place: Place, as_json: bool) -> None:
    """One account with its money and its limits."""
    from swsllm_nb.proxy import accounts

    _act(place, lambda: accounts.find(name), as_json)


@account.command("disable")
@click.argument("name")
@place_options
@json_option
def account_disable(name: str, place: Place, as_json: bool) -> None:
    """Admit no more calls of an account; running ones finish."""
    from swsllm_nb.proxy import accounts

    _act(place, lambda: accounts.set_enabled(name, False), as_json)


@account.command("enable")
@click.argument("name")
@place_options
@json_option
def account_enable(name: str, place: Place, as_json: bool) -> None:
    """Admit the calls of an account again."""
    from swsllm_nb.proxy import accounts

    _act(place, lambda: accounts.set_enabled(name, True), as_json)


@account.command("delete")
@click.argument("name")
@click.confirmation_option(prompt="Its key stops working and its name is forgotten. Sure?")
@place_options
@json_option
def account_delete(name: str, place: Place, as_json: bool) -> None:
    """Take a person out of the course; the ledger stays, under a number."""
    from swsllm_nb.proxy import accounts

    _act(place, lambda: accounts.delete_account(name), as_json)


@account.command("rename")
@click.argument("name")
@click.argument("new_name")
@place_options
@json_option
def account_rename(name: str, new_name: str, place: Place, as_json: bool) -> None:
    """Give an account another name; key, budget and ledger stay."""
    from swsllm_nb.proxy import staff

    renamed = place.act(lambda store, _: staff.rename(store, name, new_name))
    show(_public(renamed), as_json)


@account.command("limit")
@click.argument("name")
@click.option("--in-flight", type=int, help="Calls that may run at once.")
@click.option("--per-minute", type=int, help="Calls that may begin within a minute.")
@click.option("--models", help='Model ids, parted by commas; "" for all.')
@click.option("--from", "begins", help='First day, such as 2027-01-10; "" for none.')
@click.option("--until", "ends", help='Last day, such as 2027-02-28; "" for none.')
@place_options
@json_option
def account_limit(name: str, place: Place, as_json: bool, **words: Any) -> None:
    """Say what an account may do beside its budget; what is not stated stays."""
    from swsllm_nb.proxy import accounts, staff

    limits = staff.limits(**words)
    _act(place, lambda: accounts.set_limits(name, limits), as_json)


@click.group()
def budget() -> None:
    """What accounts may spend."""


@budget.command("grant", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("usd")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@place_options
@json_option
def budget_grant(name: str, usd: str, reason: str, place: Place, as_json: bool) -> None:
    """Add dollars to a budget, such as 2.50; a negative amount takes back what is left."""
    from swsllm_nb.proxy import staff

    granted = place.act(lambda store, _: staff.grant(store, name, usd, reason, author=author()))
    show(_public(granted), as_json)


@budget.command("credit")
@click.argument("request_id")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@place_options
@json_option
def budget_credit(request_id: str, reason: str, place: Place, as_json: bool) -> None:
    """Give back what an unconfirmed call was charged."""
    from swsllm_nb.proxy import staff

    account = place.act(lambda store, _: staff.credit(store, request_id, reason, author=author()))
    show(_public(account), as_json)


@click.group()
def key() -> None:
    """Students' API keys."""


@key.command("new")
@click.argument("name")
@place_options
@json_option
def key_new(name: str, place: Place, as_json: bool) -> None:
    """A new key, shown this once; the old one stops working everywhere at once."""
    from swsllm_nb.proxy import staff

    made = place.act(lambda store, secret: staff.renew_key(store, secret, name))
    show({"account": name, "key": made}, as_json)


@key.command("revoke")
@click.argument("name")
@place_options
@json_option
def key_revoke(name: str, place: Place, as_json: bool) -> None:
    """Let no key of an account work any more."""
    from swsllm_nb.proxy import accounts

    revoked = place.act(lambda store, _: store.write(lambda: accounts.revoke_keys(name)))
    show({"account": name, "keys_revoked": revoked}, as_json)


def _act(place: Place, work: "Callable[[], Work[Account]]", as_json: bool) -> None:
    show(_public(place.act(lambda store, _: store.write(work))), as_json)


def _public(row: "Account") -> dict[str, Any]:
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
