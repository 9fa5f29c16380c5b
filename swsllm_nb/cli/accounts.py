"""``swsllm account``."""

import json
from typing import TYPE_CHECKING, Any

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show
from swsllm_nb.cli.selection import Selection, act_on, selection, show_account, show_done

if TYPE_CHECKING:
    from swsllm_nb.proxy.office import Office

__all__ = ["account"]

_MOST_LISTED = 100_000


@click.group()
def account() -> None:
    """Students' accounts."""


@account.command(
    "add",
    epilog="\b\nExamples:\n  swsllm account add ada --budget 5.00\n"
    "  swsllm account add ada --full-name 'Ada King' --email ada@uni.example",
)
@click.argument("name")
@click.option("--budget", help="Dollars granted, such as 5.00. Default: the course's.")
@click.option("--full-name", default="", help="Whose it is; for staff alone.")
@click.option("--email", default="", help="For staff alone.")
@place_options
@json_option
def account_add(name: str, budget: str | None, place: Place, as_json: bool, **person: str) -> None:
    """Add an account with a budget; its key and password are shown this once."""
    from swsllm_nb.money import usd_text

    made = place.in_office(lambda office: office.add_account(name, budget, **person), create=True)
    shown = {
        "account": made.account.name,
        "budget_usd": usd_text(made.account.budget_pico),
        "key": made.key,
        "password": made.password,
    }
    show(shown, as_json)


@account.command(
    "list",
    epilog="\b\nExamples:\n  swsllm account list --status low --sort remaining\n"
    "  swsllm account list --search king --json",
)
@click.option("--search", default="", help="Part of a name, a full name or an e-mail.")
@click.option("--status", help="active, low, used up, not yet, ended, disabled or deleted.")
@click.option("--sort", default="name", help="By name, spend, remaining, last_call, pace, status …")
@click.option("--descending", is_flag=True, help="The largest or the last first.")
@place_options
@json_option
def account_list(place: Place, as_json: bool, **query: Any) -> None:
    """All accounts with what is granted, spent, held and left."""
    from swsllm_nb.proxy.account_table import AccountQuery, list_accounts
    from swsllm_nb.proxy.public import staff_listed

    asked = AccountQuery(**query)

    async def read(office: "Office") -> list[dict[str, Any]]:
        page = await office.store.read(lambda: list_accounts(asked))
        course = await office.course()
        return [staff_listed(one, course) for one in page.accounts]

    rows = place.in_office(read)
    fields = (
        "account", "budget_usd", "spend_usd", "reserved_usd", "remaining_usd", "enabled", "status",
        "last_call_at",
    )  # fmt: skip
    show(rows if as_json else [{name: row[name] for name in fields} for row in rows], as_json)


@account.command("export")
@click.argument("name")
@place_options
def account_export(name: str, place: Place) -> None:
    """All that is kept of one student, as JSON, for whoever asks for it (GDPR, Article 15).

    No question and no answer is in it, for these are not kept.
    """
    record = place.in_office(lambda office: office.personal_record(name))
    click.echo(json.dumps(record, indent=2, ensure_ascii=False))


@account.command("show")
@click.argument("name")
@place_options
@json_option
def account_show(name: str, place: Place, as_json: bool) -> None:
    """One account: its money, its limits, how it stands and what was refused to it.

    Also one that was deleted. Refusals are counted by UTC hour.
    """
    from swsllm_nb.proxy.public import staff_detail

    told = place.in_office(lambda office: office.store.read(lambda: staff_detail(name)))
    if as_json:
        show(told, as_json)
        return
    refusals = told.pop("refusals")
    show(told, as_json)
    if refusals:
        click.echo("\nRefused:")
        show(refusals, as_json)


@account.command("set")
@click.argument("name")
@click.option("--name", "new_name", help="Another name; key, budget and ledger stay.")
@click.option("--full-name", help='Whose it is; "" forgets it.')
@click.option("--email", help='"" forgets it.')
@place_options
@json_option
def account_set(name: str, place: Place, as_json: bool, **changes: str | None) -> None:
    """Change what an account is called, and whose it is; what is not stated stays."""
    show_account(place, lambda office: office.edit(name, **changes), as_json)


@account.command("rename")
@click.argument("name")
@click.argument("new_name")
@place_options
@json_option
def account_rename(name: str, new_name: str, place: Place, as_json: bool) -> None:
    """Give an account another name; key, budget and ledger stay."""
    show_account(place, lambda office: office.edit(name, new_name=new_name), as_json)


@account.command("disable")
@selection
@place_options
@json_option
def account_disable(accounts: Selection, place: Place, as_json: bool) -> None:
    """Admit no more calls of accounts; running ones finish."""
    acting = act_on(accounts, lambda office, names: office.disable(names))
    show_done(accounts, place.in_office(acting), as_json)


@account.command("enable")
@selection
@place_options
@json_option
def account_enable(accounts: Selection, place: Place, as_json: bool) -> None:
    """Admit the calls of accounts again."""
    acting = act_on(accounts, lambda office, names: office.enable(names))
    show_done(accounts, place.in_office(acting), as_json)


@account.command("delete")
@selection
@click.confirmation_option(prompt="Keys stop working and names are forgotten. Sure?")
@place_options
@json_option
def account_delete(accounts: Selection, place: Place, as_json: bool) -> None:
    """Take people out of the course; the ledger stays, under numbers.

    Name, full name, e-mail, key, password and sessions are gone for good; reasons that staff
    wrote into the ledger stay as they are.
    """
    acting = act_on(accounts, lambda office, names: office.delete(names))
    show_done(accounts, place.in_office(acting), as_json)


@account.command(
    "limit",
    epilog="\b\nExamples:\n  swsllm account limit ada --models gpt-4o-mini --until 2027-02-28\n"
    "  swsllm account limit --all --per-minute 30",
)
@selection
@click.option("--in-flight", type=int, help="Calls that may run at once.")
@click.option("--per-minute", type=int, help="Calls that may begin within a minute.")
@click.option("--models", help='Model ids, parted by commas; "" for all.')
@click.option("--from", "begins", help='First day, such as 2027-01-10; "" for none.')
@click.option("--until", "ends", help='Last day, such as 2027-02-28; "" for none.')
@place_options
@json_option
def account_limit(accounts: Selection, place: Place, as_json: bool, **stated: Any) -> None:
    """Say what accounts may do beside their budgets; what is not stated stays."""
    from swsllm_nb.proxy import words

    limits = words.limits(**stated)
    acting = act_on(accounts, lambda office, names: office.limit(names, limits))
    show_done(accounts, place.in_office(acting), as_json)
