"""What staff do to the course and its models; the methods of the office that concern them."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from swsllm_nb.catalogue import Row, overlaid
from swsllm_nb.money import usd_text
from swsllm_nb.proxy import words
from swsllm_nb.proxy.accounts import named
from swsllm_nb.proxy.acts import Acts
from swsllm_nb.proxy.audit import Entry, entries, note
from swsllm_nb.proxy.course import (
    Course,
    course,
    known_models,
    lock_course,
    model_rows,
    set_course,
    set_model_row,
)
from swsllm_nb.proxy.keys import forget_sealed_keys
from swsllm_nb.proxy.models import (
    changed_row,
    check_seen,
    listed_models,
    new_row,
    replaced_default,
    row_named,
    row_texts,
)
from swsllm_nb.proxy.offer import utc_today
from swsllm_nb.proxy.work import Work

__all__ = ["COURSE_WORDS", "CourseActs", "course_texts"]


_READ: Final[Mapping[str, tuple[str, Callable[[str], str | int]]]] = {
    "name": ("name", partial(words.line_of_text, what="a course's name")),
    "begins": ("begins", words.day),
    "ends": ("ends", words.day),
    "contact": ("contact", partial(words.line_of_text, what="a contact")),
    "language": ("language", words.language),
    "default_budget_usd": ("default_budget_pico", words.budget_pico),
    "default_models": ("default_models", str),
    "cap_usd": ("cap_pico", words.budget_pico),
    "retention_days": ("retention_days", words.retention_days),
    "keys_shown_once": ("keys_shown_once", words.yes),
}
"""Each word for the course, with its column and how that is read."""

COURSE_WORDS: Final = tuple(_READ)


def course_texts(course: Course) -> dict[str, str]:
    """The course by COURSE_WORDS, as the fields of a form."""
    budget, cap = course.default_budget_pico, course.cap_pico
    return {
        "name": course.name or "",
        "begins": course.begins or "",
        "ends": course.ends or "",
        "contact": course.contact or "",
        "language": course.language or "",
        "default_budget_usd": "" if budget is None else usd_text(budget),
        "default_models": ",".join(course.default_models or ()),
        "cap_usd": "" if cap is None else usd_text(cap),
        "retention_days": str(course.retention_days or ""),
        "keys_shown_once": "yes" if course.keys_shown_once else "",
    }


class CourseActs(Acts):
    """The course's own words, its catalogue, and the trail of all acts."""

    async def course(self) -> Course:
        return await self.store.read(course)

    async def set_course(
        self, seen: Mapping[str, str] | None = None, /, **told: str | None
    ) -> Course:
        """Describe the course by COURSE_WORDS: None leaves what is, "" takes it away.

        Dates, models (parted by commas) and the default budget are what new accounts are given.
        What is not as it was ``seen`` (see ``course_texts``) is refused, unless it is already as
        told: a form may be sent twice.
        """
        changes: dict[str, str | int | None] = {}
        for word, text in told.items():
            column, reads = _READ[word]
            if text is not None:
                changes[column] = reads(text) if text else None

        def act() -> Work[Course]:
            if not changes:
                raise ValueError("Nothing to change was stated of the course.")
            yield from lock_course()
            before = yield from course()
            stated, noted = dict(changes), dict[str, Any](changes)
            if stated.get("default_models"):
                names = [name.strip() for name in str(stated["default_models"]).split(",")]
                noted["default_models"] = yield from known_models(names)
                stated["default_models"] = json.dumps(noted["default_models"])
            changed = yield from set_course(stated)
            if changed != before:
                check_seen(seen or {}, course_texts(before), told)
            if changed.keys_shown_once:
                yield from forget_sealed_keys()
            if changed.begins and changed.ends and changed.begins > changed.ends:
                raise ValueError(f"No day is from {changed.begins} on and until {changed.ends}.")
            yield from note(self.author, "set_course", **noted)
            return changed

        return await self.store.write(act)

    async def models(self) -> list[dict[str, Any]]:
        """All models with their prices, limits and dates, also those switched off."""
        return listed_models(overlaid(await self.store.read(model_rows)), utc_today())

    async def set_model(
        self, name: str, seen: Mapping[str, str] | None = None, /, **changes: Any
    ) -> dict[str, Any]:
        """Change fields of a model, or its price from a day on; gives it as ``models`` lists it.

        Fields are those of ``models.ROW_FIELDS``, ``PRICE_FIELDS`` and ``LONG_FIELDS``; None takes
        one away. What is not as it was ``seen`` (see ``models.row_texts``) is refused, unless it is
        already as told: a form may be sent twice.
        """
        if not changes:
            raise ValueError("Nothing to change was stated of the model.")

        return await self._change_model(
            "set_model", changes, lambda rows: row_named(rows, name), seen or {}
        )

    async def add_model(
        self, model_id: str, *, like: str | None = None, **changes: Any
    ) -> dict[str, Any]:
        """A model that the catalogue does not have, with the limits and rules of another one.

        Its prices have to be stated; until it is complete it can only be added switched off.
        """
        return await self._change_model(
            "add_model", {"enabled": False, **changes}, lambda rows: new_row(rows, model_id, like)
        )

    async def retire_model(
        self, name: str, *, on: str | None = None, successor: str | None = None
    ) -> dict[str, Any]:
        """Offer a model no more from a day on (today), and say what to use instead."""
        changes: dict[str, Any] = {"shutdown_date": words.day(on) if on else str(utc_today())}

        def row(rows: Mapping[str, Row]) -> Row:
            if successor:
                changes["successor"] = row_named(rows, successor)["id"]
            return row_named(rows, name)

        return await self._change_model("retire_model", changes, row)

    async def _change_model(
        self,
        act: str,
        changes: Mapping[str, Any],
        row_of: Callable[[Mapping[str, Row]], Row],
        seen: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, Any]:
        def changing() -> Work[dict[str, Any]]:
            yield from lock_course()
            rows = overlaid((yield from model_rows()))
            row = row_of(rows)
            rows = {**rows, row["id"]: row}
            default = replaced_default(rows, row["id"]) if changes.get("default") else None
            if default:
                rows = {**rows, default["id"]: default}
                yield from set_model_row(default["id"], default, self.author)
            changed = changed_row(rows, row["id"], today=utc_today(), **changes)
            if changed != row:
                check_seen(seen, row_texts(row, utc_today()), changes)
            yield from set_model_row(changed["id"], changed, self.author)
            yield from note(self.author, act, model=changed["id"], **changes)
            return listed_models({changed["id"]: changed}, utc_today())[0]

        return await self.store.write(changing)

    async def audit(
        self, *, before: int | None = None, account: str | None = None, limit: int = 100
    ) -> list[Entry]:
        """The trail, newest first; ``before`` is the id of the last entry seen already."""

        def read() -> Work[list[Entry]]:
            account_id = None if account is None else (yield from named(account)).id
            return (yield from entries(before=before, account_id=account_id, limit=limit))

        return await self.store.read(read)
