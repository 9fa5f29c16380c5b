"""What holds for the course as a whole: its name and dates, its cap, and the rows of its models."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swsllm_nb.catalogue import overlaid
from swsllm_nb.proxy.models import row_named
from swsllm_nb.proxy.standing import allowed_models
from swsllm_nb.proxy.work import Work, ask

__all__ = [
    "Course",
    "course",
    "keep_secret_check",
    "known_models",
    "lock_course",
    "model_rows",
    "set_course",
    "set_model_row",
]


@dataclass(frozen=True, kw_only=True)
class Course:
    """The course as staff describe it; None is what they have not said.

    ``begins`` and ``ends`` are days, such as 2027-02-28, and with ``default_models`` (None: all)
    and ``default_budget_pico`` they are what new accounts are given. ``cap_pico`` is the most that
    all accounts together may spend. Calls older than ``retention_days`` are summed up. Where
    ``keys_shown_once``, no key is kept, so that it cannot be shown again.
    """

    name: str | None = None
    begins: str | None = None
    ends: str | None = None
    contact: str | None = None
    language: str | None = None
    default_budget_pico: int | None = None
    default_models: tuple[str, ...] | None = None
    cap_pico: int | None = None
    retention_days: int | None = None
    keys_shown_once: bool = False


def course() -> Work[Course]:
    (row,) = yield ask(
        "SELECT name, begins, ends, contact, language, default_budget_pico, default_models, "
        "cap_pico, retention_days, keys_shown_once FROM course"
    )
    read = {
        "default_models": allowed_models(row["default_models"]),
        "keys_shown_once": bool(row["keys_shown_once"]),
    }
    return Course(**{**row, **read})


def set_course(changes: Mapping[str, str | int | None]) -> Work[Course]:
    """Change columns of the course; each key is a field of ``Course``, models are JSON."""
    for column, value in changes.items():
        yield ask(f"UPDATE course SET {column} = $1", value)
    return (yield from course())


def lock_course() -> Work[None]:
    """Let who else changes the course or its models wait until the transaction ends.

    What is read afterwards and written back takes nothing back that another one wrote.
    """
    yield ask("SELECT id FROM course FOR UPDATE")


def keep_secret_check(check: bytes) -> Work[bool]:
    """Whether the secret is the one that this course's keys were hashed with."""
    (row,) = yield ask("SELECT secret_check FROM course FOR UPDATE")
    if row["secret_check"] is None:
        yield ask("UPDATE course SET secret_check = $1", check)
    return row["secret_check"] in (None, check)


def model_rows() -> Work[dict[str, Mapping[str, Any]]]:
    """The catalogue rows that staff have changed, by model id."""
    rows = yield ask("SELECT id, document FROM models ORDER BY id")
    return {row["id"]: json.loads(row["document"]) for row in rows}


def known_models(names: Sequence[str]) -> Work[tuple[str, ...]]:
    """The ids of models named by id or alias. Raises ValueError for one that there is not."""
    rows = overlaid((yield from model_rows()))
    return tuple(dict.fromkeys(row_named(rows, name)["id"] for name in names))


def set_model_row(model_id: str, row: Mapping[str, Any], author: str) -> Work[None]:
    yield ask(
        "INSERT INTO models (id, document, author, changed_at) VALUES ($1, $2, $3, utc_now()) "
        "ON CONFLICT (id) DO UPDATE SET document = excluded.document, author = excluded.author, "
        "changed_at = excluded.changed_at",
        model_id, json.dumps(row), author,
    )  # fmt: skip
