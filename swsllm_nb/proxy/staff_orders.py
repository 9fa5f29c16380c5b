"""The acts of the staff API: what a script sends for each, and the office's method that does it.

A field that is not stated leaves things as they are; amounts are texts, such as "2.50".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec

from swsllm_nb.proxy import words
from swsllm_nb.proxy.errors import BadRequest
from swsllm_nb.proxy.invoice_file import compared, read_invoice, total
from swsllm_nb.proxy.models import LONG_FIELDS, PRICE_FIELDS, ROW_FIELDS
from swsllm_nb.proxy.office import Done, Office
from swsllm_nb.proxy.public import in_usd, staff_account, staff_invoice

__all__ = ["ORDERS", "Order", "order_of"]


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """An act with what it needs to know; gives what there is to tell, as JSON."""

    async def do(self, office: Office) -> dict[str, Any]:
        raise NotImplementedError


class _Named(Order):
    name: str


class _Selected(Order):
    names: list[str]


class AddAccount(_Named):
    budget_usd: str | None = None
    full_name: str = ""
    email: str = ""

    async def do(self, office: Office) -> dict[str, Any]:
        made = await office.add_account(
            self.name, self.budget_usd, full_name=self.full_name, email=self.email
        )
        # The key is the student's own, who finds it on the page.
        told = staff_account(made.account, await office.course())
        return {**told, "password": made.password}


class Edit(_Named):
    new_name: str | None = None
    full_name: str | None = None
    email: str | None = None

    async def do(self, office: Office) -> dict[str, Any]:
        account = await office.edit(
            self.name, new_name=self.new_name, full_name=self.full_name, email=self.email
        )
        return staff_account(account, await office.course())


class Credit(Order):
    request_id: str
    reason: str

    async def do(self, office: Office) -> dict[str, Any]:
        account = await office.credit(self.request_id, self.reason)
        return staff_account(account, await office.course())


class Grant(_Selected):
    amount_usd: str
    reason: str

    async def do(self, office: Office) -> dict[str, Any]:
        return _told(await office.grant(self.names, self.amount_usd, self.reason))


class Enable(_Selected):
    async def do(self, office: Office) -> dict[str, Any]:
        return _told(await office.enable(self.names))


class Disable(_Selected):
    async def do(self, office: Office) -> dict[str, Any]:
        return _told(await office.disable(self.names))


class Delete(_Selected):
    async def do(self, office: Office) -> dict[str, Any]:
        return _told(await office.delete(self.names))


class Limit(_Selected):
    in_flight: int | None = None
    per_minute: int | None = None
    models: str | None = None
    begins: str | None = None
    ends: str | None = None

    async def do(self, office: Office) -> dict[str, Any]:
        limits = words.limits(
            in_flight=self.in_flight, per_minute=self.per_minute, models=self.models,
            begins=self.begins, ends=self.ends,
        )  # fmt: skip
        return _told(await office.limit(self.names, limits))


class ResetPasswords(_Selected):
    async def do(self, office: Office) -> dict[str, Any]:
        return _told(await office.reset_passwords(self.names))


class RenewKeys(_Selected):
    async def do(self, office: Office) -> dict[str, Any]:
        return _told(await office.renew_keys(self.names))


class RevokeKeys(_Named):
    async def do(self, office: Office) -> dict[str, Any]:
        return {"account": self.name, "revoked_keys": await office.revoke_keys(self.name)}


class ImportRoster(Order):
    csv: str
    dry_run: bool
    budget_usd: str | None = None

    async def do(self, office: Office) -> dict[str, Any]:
        report = await office.import_roster(
            self.csv.encode(), dry_run=self.dry_run, budget_usd=self.budget_usd
        )
        lines = []
        for line in report.lines:
            told = in_usd(replace(line, credentials=None))
            del told["credentials"]
            lines.append({**told, "password": line.credentials and line.credentials.password})
        return {"data": lines, "ignored_columns": report.ignored_columns}


class SetCourse(Order):
    name: str | None = None
    begins: str | None = None
    ends: str | None = None
    contact: str | None = None
    language: str | None = None
    default_budget_usd: str | None = None
    default_models: str | None = None
    cap_usd: str | None = None
    retention_days: str | None = None
    keys_shown_once: str | None = None

    async def do(self, office: Office) -> dict[str, Any]:
        stated = {name: getattr(self, name) for name in self.__struct_fields__}
        told: dict[str, Any] = in_usd(await office.set_course(**stated))
        return told


class SetModel(_Named):
    changes: dict[str, Any]

    async def do(self, office: Office) -> dict[str, Any]:
        return await office.set_model(self.name, **_fields(self.changes))


class AddModel(_Named):
    changes: dict[str, Any]
    like: str | None = None

    async def do(self, office: Office) -> dict[str, Any]:
        return await office.add_model(self.name, like=self.like, **_fields(self.changes))


class RetireModel(_Named):
    on: str | None = None
    successor: str | None = None

    async def do(self, office: Office) -> dict[str, Any]:
        return await office.retire_model(self.name, on=self.on, successor=self.successor)


class CompareInvoice(Order):
    csv: str | None = None
    since: str | None = None
    until: str | None = None
    billed_usd: str | None = None

    async def do(self, office: Office) -> dict[str, Any]:
        since, until, billed_usd = self.since, self.until, self.billed_usd
        if self.csv is None and since and until:
            return await office.store.read(lambda: staff_invoice(since, until, billed_usd))
        if self.csv is None or since or until or billed_usd:
            raise ValueError(
                "State the invoice's file, which has its own days and sums, or its first and last "
                "day."
            )
        billed = read_invoice(self.csv.encode())
        days = await office.store.read(lambda: compared(billed))
        return {"data": [in_usd(day) for day in days], "total": in_usd(total(days))}


class AddTeacher(_Named):
    async def do(self, office: Office) -> dict[str, Any]:
        made = await office.add_teacher(self.name)
        return {**in_usd(made.teacher), "password": made.password}


class EnableTeacher(_Named):
    async def do(self, office: Office) -> dict[str, Any]:
        told: dict[str, Any] = in_usd(await office.set_teacher_enabled(self.name, True))
        return told


class DisableTeacher(_Named):
    async def do(self, office: Office) -> dict[str, Any]:
        told: dict[str, Any] = in_usd(await office.set_teacher_enabled(self.name, False))
        return told


class ResetTeacherPassword(_Named):
    async def do(self, office: Office) -> dict[str, Any]:
        made = await office.reset_teacher_password(self.name)
        return {**in_usd(made.teacher), "password": made.password}


class NewStaffKey(_Named):
    async def do(self, office: Office) -> dict[str, Any]:
        return {"name": self.name, "key": await office.new_staff_key(self.name)}


class RevokeStaffKeys(_Named):
    async def do(self, office: Office) -> dict[str, Any]:
        return {"name": self.name, "revoked_keys": await office.revoke_staff_keys(self.name)}


ORDERS: Final[Mapping[str, type[Order]]] = {
    "add_account": AddAccount,
    "edit": Edit,
    "credit": Credit,
    "grant": Grant,
    "enable": Enable,
    "disable": Disable,
    "delete": Delete,
    "limit": Limit,
    "reset_passwords": ResetPasswords,
    "renew_keys": RenewKeys,
    "revoke_keys": RevokeKeys,
    "import_roster": ImportRoster,
    "set_course": SetCourse,
    "set_model": SetModel,
    "add_model": AddModel,
    "retire_model": RetireModel,
    "compare_invoice": CompareInvoice,
    "add_teacher": AddTeacher,
    "enable_teacher": EnableTeacher,
    "disable_teacher": DisableTeacher,
    "reset_teacher_password": ResetTeacherPassword,
    "new_staff_key": NewStaffKey,
    "revoke_staff_keys": RevokeStaffKeys,
}
"""The acts by their names, which are those in the trail or of the office's methods."""

Some = TypeVar("Some", bound=Order)


def order_of(kind: type[Some], body: bytes) -> Some:
    """Raises BadRequest where the body is not what the act needs to know."""
    if rb"\u0000" in body:
        raise BadRequest("A text has the character NUL, which no database keeps.")
    try:
        order = msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        fields = ", ".join(kind.__struct_fields__)
        raise BadRequest(f"{error}. This act is told, as JSON: {fields}.") from None
    return order


def _fields(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises ValueError for what is no field of a model."""
    known = (*ROW_FIELDS, *PRICE_FIELDS, *LONG_FIELDS)
    for field in changes:
        if field not in known:
            raise ValueError(f"{field[:40]!r} is no field of a model: {', '.join(known)}.")
    return changes


def _told(done: Sequence[Done]) -> dict[str, Any]:
    """What became of each account, and how many could not."""
    rows = []
    for one in done:
        row: dict[str, Any] = {"account": one.name, "done": one.account is not None}
        if one.sentence is not None:
            row["sentence"] = one.sentence
        if one.credentials is not None:
            row["password"] = one.credentials.password
        rows.append(row)
    return {"data": rows, "refused": sum(not row["done"] for row in rows)}
