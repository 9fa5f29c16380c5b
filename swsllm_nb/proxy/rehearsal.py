"""A class that never was, over two thirds of a semester: to rehearse a course with it.

It is drawn from a seed: workdays and weekends, sheets with deadlines, students who do much, little
or nothing, some out of money and some with more granted, a few charges unconfirmed. Nobody's name
is in it, no account has a key or a password that works, and its books add up as any course's do.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any, Final, NamedTuple

from swsllm_nb import pricing
from swsllm_nb.catalogue import Model, default_catalogue
from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.work import Statement, Work, ask
from swsllm_nb.wire import INSUFFICIENT_QUOTA, Usage

__all__ = ["Rehearsal", "Rehearsed", "rehearse"]

STAFF: Final = "rehearsal"
_AUTHOR: Final = "a rehearsal"
_CAP_TOKENS: Final = 1024
_SHEET_DAYS: Final = 14
_MODELS: Final = {"gpt-4o-mini-2024-07-18": 70, "gpt-4o-2024-11-20": 22, "o3-mini-2025-01-31": 8}
_WEEKDAYS: Final = (10, 13, 11, 12, 7, 3, 7)
_HOURS: Final = (1, 0, 0, 0, 0, 1, 2, 4, 9, 12, 11, 8, 9, 12, 12, 10, 8, 7, 8, 9, 8, 6, 4, 2)
_BUDGET_STEP_PICO: Final = PICO_PER_USD // 4
_ROWS_AT_ONCE: Final = 200


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """How large a class; ``calls`` are tried, those without money are refused."""

    students: int
    weeks: int
    calls: int
    seed: int


@dataclass(frozen=True)
class Rehearsed:
    """What became of it, and the staff key and password that it can be looked at with."""

    accounts: int
    calls: int
    refusals: int
    begins: str
    ends: str
    staff: str
    password: str = field(repr=False)
    staff_key: str = field(repr=False)


class _Try(NamedTuple):
    at: str
    student: int
    model: Model
    exercise: str | None
    prompt_tokens: int
    completion_tokens: int

    @property
    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, self.completion_tokens)

    @property
    def hold_pico(self) -> int:
        prices = self.model.prices
        return prices.input_pico * (self.prompt_tokens + 80) + prices.output_pico * _CAP_TOKENS


@dataclass
class _Student:
    """How an account stands while its calls are gone through."""

    budget_pico: int
    spend_pico: int = 0
    patience: int = 4
    last_call_at: str | None = None


_COLUMNS: Final = (
    "kind", "account_id", "at", "amount_pico", "reason", "author", "request_id", "state",
    "upstream", "model", "exercise", "stream", "hold_pico", "cap_tokens", "prices",
    "prompt_tokens", "cached_tokens", "cache_write_tokens", "completion_tokens",
    "reasoning_tokens", "finished_at",
)  # fmt: skip


@dataclass
class _Books:
    """The rows of the class, accounts numbered from 0."""

    rng: Random
    students: list[_Student]
    rows: list[dict[str, Any]] = field(default_factory=list)
    credits: list[tuple[str, str]] = field(default_factory=list)
    refusals: Counter[tuple[int, str, str]] = field(default_factory=Counter)

    def grant(self, student: int, at: str, pico: int, reason: str) -> None:
        told = {"kind": "grant", "amount_pico": pico, "reason": reason, "author": _AUTHOR}
        self.rows.append({**told, "account_id": student, "at": at})

    def take(self, one: _Try, number: int) -> None:
        """Let a student try a call; who is refused often asks for more, or gives up."""
        student = self.students[one.student]
        if not student.patience:
            return
        if student.budget_pico - student.spend_pico >= one.hold_pico:
            self._call(student, one, number)
            return
        self.refusals[one.student, one.at[:13], one.model.id] += 1
        student.patience -= 1
        if not student.patience and self.rng.random() < 0.4:
            more_pico = student.budget_pico // 2
            self.grant(one.student, f"{one.at[:19]}.500000Z", more_pico, "asked for more")
            student.budget_pico += more_pico
            student.patience = 2

    def _call(self, student: _Student, one: _Try, number: int) -> None:
        luck = self.rng.random()
        row: dict[str, Any] = {
            "kind": "call", "account_id": one.student, "at": one.at,
            "request_id": f"req_{number:032x}", "upstream": "practice", "model": one.model.id,
            "exercise": one.exercise, "stream": number % 2, "hold_pico": one.hold_pico,
            "cap_tokens": _CAP_TOKENS, "prices": one.model.prices.frozen, "finished_at": one.at,
        }  # fmt: skip
        if luck < 0.003:
            doubt = self.rng.choice(list(Doubt))
            row |= {"state": "unconfirmed", "amount_pico": one.hold_pico, "reason": doubt.value}
            if luck < 0.0015:
                self.credits.append((row["request_id"], f"{one.at[:10]}T23:59:59.000000Z"))
        elif luck < 0.008:
            row |= {"state": "released", "amount_pico": 0}
        else:
            row |= {
                "state": "settled", "amount_pico": pricing.cost(one.model.prices, one.usage),
                "prompt_tokens": one.prompt_tokens, "completion_tokens": one.completion_tokens,
                "cached_tokens": 0, "cache_write_tokens": 0, "reasoning_tokens": 0,
            }  # fmt: skip
        student.spend_pico += row["amount_pico"]
        student.last_call_at = one.at
        self.rows.append(row)


async def rehearse(office: Office, wanted: Rehearsal) -> Rehearsed:
    """Fill a new course. Nothing is left of it where that fails."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    days = max(1, wanted.weeks * 7 * 2 // 3)
    begins = yesterday - timedelta(days=days - 1)
    ends = begins + timedelta(days=max(wanted.weeks * 7, days + 1) - 1)
    books = _books(wanted, begins, days)
    await office.store.write(lambda: _written(books, begins, ends))
    # Twice: PostgreSQL learns only from one time to the next what is committed for good.
    for _ in range(2):
        await office.store.sum_up()
    await office.set_course(name="Rehearsal", begins=begins.isoformat(), ends=ends.isoformat())
    made = await office.add_teacher(STAFF)
    key = await office.new_staff_key(STAFF)
    calls = sum(row["kind"] == "call" for row in books.rows)
    return Rehearsed(
        wanted.students, calls, books.refusals.total(), begins.isoformat(), ends.isoformat(),
        STAFF, made.password, key,
    )  # fmt: skip


def _books(wanted: Rehearsal, begins: date, days: int) -> _Books:
    rng = Random(wanted.seed)  # noqa: S311  no secret is drawn
    tries = sorted(_tries(wanted, rng, begins, days), key=lambda one: one.at)
    # What nine of ten students need: the tenth will run out of it.
    needs = [0] * wanted.students
    for one in tries:
        needs[one.student] += pricing.cost(one.model.prices, one.usage)
    needed_pico = sorted(needs)[wanted.students * 9 // 10]
    budget_pico = -(-max(1, needed_pico) // _BUDGET_STEP_PICO) * _BUDGET_STEP_PICO
    books = _Books(rng, [_Student(budget_pico) for _ in needs])
    for student in range(wanted.students):
        books.grant(student, f"{begins}T06:00:00.000000Z", budget_pico, "first budget")
    for number, one in enumerate(tries):
        books.take(one, number)
    books.rows.sort(key=lambda row: row["at"])
    return books


def _tries(wanted: Rehearsal, rng: Random, begins: date, days: int) -> Iterator[_Try]:
    """What the class asks for, in no order."""
    zeal = [
        0 if rng.random() < 0.06 else rng.lognormvariate(0, 0.8) for _ in range(wanted.students)
    ]
    zeal[0] += 1
    leaves_on = [rng.randrange(days) if rng.random() < 0.1 else days - 1 for _ in zeal]
    dates = [begins + timedelta(days=number) for number in range(days)]
    # Most is done in the two days before a sheet is due.
    rush = [3 if number % _SHEET_DAYS >= _SHEET_DAYS - 2 else 1 for number in range(days)]
    weights = [_WEEKDAYS[day.weekday()] * more for day, more in zip(dates, rush, strict=True)]
    models = [_model(name) for name in _MODELS]
    drawn = zip(
        rng.choices(range(wanted.students), zeal, k=wanted.calls),
        rng.choices(range(days), weights, k=wanted.calls),
        rng.choices(range(24), _HOURS, k=wanted.calls),
        rng.choices(models, list(_MODELS.values()), k=wanted.calls),
        strict=True,
    )
    for student, drawn_day, hour, model in drawn:
        day = drawn_day % (leaves_on[student] + 1)
        second = rng.randrange(3600)
        yield _Try(
            f"{dates[day]}T{max(hour, 7):02}:{second // 60:02}:{second % 60:02}.000000Z",
            student,
            model,
            f"ex{day // _SHEET_DAYS + 1}" if rng.random() < 0.8 else None,
            min(8000, int(rng.lognormvariate(6.3, 0.9)) + 20),
            min(_CAP_TOKENS, int(rng.lognormvariate(5.3, 0.8)) + 1),
        )


def _model(name: str) -> Model:
    model = default_catalogue().find(name)
    assert model is not None, "it is in the catalogue"
    return model


def _written(books: _Books, begins: date, ends: date) -> Work[None]:
    """The whole class in one transaction."""
    until = f"{ends + timedelta(days=1)}T00:00:00.000000Z"
    ids = []
    for number, student in enumerate(books.students):
        (added,) = yield ask(
            "INSERT INTO accounts (name, password_hash, budget_pico, spend_pico, created_at, "
            "last_call_at, valid_until) VALUES ($1, '', $2, $3, $4, $5, $6) RETURNING id",
            f"student-{number + 1:03}", student.budget_pico, student.spend_pico,
            f"{begins}T06:00:00.000000Z", student.last_call_at, until,
        )  # fmt: skip
        ids.append(added["id"])
    for first in range(0, len(books.rows), _ROWS_AT_ONCE):
        yield _inserted(books.rows[first : first + _ROWS_AT_ONCE], ids)
    for request_id, at in books.credits:
        yield from _credited(request_id, at)
    for (student_number, hour, model), refusals in books.refusals.items():
        yield ask(
            "INSERT INTO refusals (account_id, hour, code, model, refusals, last_at) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            ids[student_number], hour, INSUFFICIENT_QUOTA, model, refusals,
            f"{hour}:59:59.000000Z",
        )  # fmt: skip


def _inserted(rows: Sequence[dict[str, Any]], ids: Sequence[int]) -> Statement:
    values = [
        ids[row["account_id"]] if name == "account_id" else row.get(name)
        for row in rows
        for name in _COLUMNS
    ]
    return ask(_insert_sql(len(rows)), *values)


@lru_cache(maxsize=2)
def _insert_sql(rows: int) -> str:
    width = len(_COLUMNS)
    places = (
        f"({', '.join(f'${place}' for place in range(first + 1, first + width + 1))})"
        for first in range(0, rows * width, width)
    )
    return f"INSERT INTO ledger ({', '.join(_COLUMNS)}) VALUES {', '.join(places)}"


def _credited(request_id: str, at: str) -> Work[None]:
    (call,) = yield ask(
        "SELECT id, account_id, amount_pico FROM ledger WHERE request_id = $1", request_id
    )
    yield ask(
        "INSERT INTO ledger (kind, account_id, at, amount_pico, adjusts_id, reason, author) "
        "VALUES ('adjustment', $1, $2, $3, $4, $5, $6)",
        call["account_id"], at, -call["amount_pico"], call["id"], "nothing came", _AUTHOR,
    )  # fmt: skip
    yield ask(
        "UPDATE accounts SET spend_pico = spend_pico - $2 WHERE id = $1",
        call["account_id"], call["amount_pico"],
    )  # fmt: skip
