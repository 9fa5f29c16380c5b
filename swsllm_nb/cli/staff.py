"""``swsllm staff`` and ``swsllm audit``."""

from dataclasses import asdict

import click

from swsllm_nb.cli.place import Place, json_option, place_options, show

__all__ = ["audit", "staff"]


@click.group()
def staff() -> None:
    """The teaching staff: who may sign in under /staff, and keys for the staff API."""


@staff.command("add", epilog="\b\nExample:\n  swsllm staff add mueller")
@click.argument("name")
@place_options
@json_option
def staff_add(name: str, place: Place, as_json: bool) -> None:
    """Let one more person act; the password they first sign in with is shown this once."""
    made = place.in_office(lambda office: office.add_teacher(name), create=True)
    show({"staff": made.teacher.name, "password": made.password}, as_json)


@staff.command("list")
@place_options
@json_option
def staff_list(place: Place, as_json: bool) -> None:
    """Who may act, and how many keys for the staff API each has."""
    teachers = place.in_office(lambda office: office.teachers())
    fields = ("name", "enabled", "keys", "password_is_initial", "created_at")
    rows = [asdict(teacher) for teacher in teachers]
    show([{"staff": row["name"], **{name: row[name] for name in fields[1:]}} for row in rows],
         as_json)  # fmt: skip


@staff.command("password")
@click.argument("name")
@place_options
@json_option
def staff_password(name: str, place: Place, as_json: bool) -> None:
    """A new password for the page, shown this once; keys go on working."""
    made = place.in_office(lambda office: office.reset_teacher_password(name))
    show({"staff": name, "password": made.password}, as_json)


@staff.command(
    "key", epilog="\b\nExamples:\n  swsllm staff key mueller\n  swsllm staff key mueller --revoke"
)
@click.argument("name")
@click.option("--revoke", is_flag=True, help="Let none of their keys work any more instead.")
@place_options
@json_option
def staff_key(name: str, revoke: bool, place: Place, as_json: bool) -> None:
    """One more key for the staff API, shown this once."""
    if revoke:
        revoked = place.in_office(lambda office: office.revoke_staff_keys(name))
        show({"staff": name, "keys_revoked": revoked}, as_json)
    else:
        made = place.in_office(lambda office: office.new_staff_key(name))
        show({"staff": name, "key": made}, as_json)


@staff.command("disable")
@click.argument("name")
@place_options
@json_option
def staff_disable(name: str, place: Place, as_json: bool) -> None:
    """Let a person act no more; their name stays in the trail."""
    teacher = place.in_office(lambda office: office.set_teacher_enabled(name, False))
    show({"staff": name, "enabled": teacher.enabled}, as_json)


@staff.command("enable")
@click.argument("name")
@place_options
@json_option
def staff_enable(name: str, place: Place, as_json: bool) -> None:
    """Let a person act again."""
    teacher = place.in_office(lambda office: office.set_teacher_enabled(name, True))
    show({"staff": name, "enabled": teacher.enabled}, as_json)


@click.command()
@click.option("--account", help="Only what was done to this account.")
@click.option("--before", type=int, help="Only entries older than the one of this id.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="So many at most.",
)
@place_options
@json_option
def audit(account: str | None, before: int | None, limit: int, place: Place, as_json: bool) -> None:
    """Who did what and when, the newest first."""
    import json

    entries = place.in_office(
        lambda office: office.audit(account=account, before=before, limit=limit)
    )
    rows = [asdict(entry) for entry in entries]
    if not as_json:
        details = (json.dumps(row["details"], ensure_ascii=False) for row in rows)
        rows = [{**row, "details": text} for row, text in zip(rows, details, strict=True)]
    show(rows, as_json)
