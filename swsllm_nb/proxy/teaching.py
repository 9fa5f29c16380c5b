"""The accounts of teaching staff: who may act, by a password on the page or by a key in scripts.

Every function raises ValueError, with a sentence for people, for what cannot be done.
"""

from dataclasses import dataclass

from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.work import Row, Work, ask

__all__ = [
    "Teacher",
    "add_staff_key",
    "add_teacher",
    "all_teachers",
    "find_teacher",
    "revoke_staff_keys",
    "set_teacher_enabled",
    "set_teacher_password",
    "staff_key_holder",
]


@dataclass(frozen=True)
class Teacher:
    """A member of staff; ``keys`` counts those that work."""

    id: int
    name: str
    enabled: bool
    password_is_initial: bool
    created_at: str
    keys: int


_TEACHER = """
    SELECT id, name, enabled, password_is_initial, created_at,
        (SELECT count(*) FROM staff_keys k WHERE k.staff_id = staff.id AND k.revoked_at IS NULL)
            AS keys
    FROM staff
"""


def _teacher_of_row(row: Row) -> Teacher:
    values = dict(row)
    for flag in ("enabled", "password_is_initial"):
        values[flag] = bool(values[flag])
    return Teacher(**values)


def all_teachers() -> Work[list[Teacher]]:
    rows = yield ask(f"{_TEACHER} ORDER BY name")
    return [_teacher_of_row(row) for row in rows]


def find_teacher(name: str) -> Work[Teacher]:
    rows = (yield ask(f"{_TEACHER} WHERE name = $1", name)) if name.isprintable() else []
    if not rows:
        raise ValueError(
            f"There is no member of staff {name!r}. 'swsllm staff list' shows those there are."
        )
    return _teacher_of_row(rows[0])


def add_teacher(name: str, password_hash: str) -> Work[Teacher]:
    added = yield ask(
        "INSERT INTO staff (name, password_hash, created_at) VALUES ($1, $2, utc_now()) "
        "ON CONFLICT (name) DO NOTHING RETURNING id",
        name, password_hash,
    )  # fmt: skip
    if not added:
        raise ValueError(f"There is a member of staff {name!r} already.")
    return (yield from find_teacher(name))


def set_teacher_enabled(name: str, enabled: bool) -> Work[Teacher]:
    """Who is disabled is signed out, and none of their keys works."""
    teacher = yield from find_teacher(name)
    yield ask("UPDATE staff SET enabled = $2 WHERE id = $1", teacher.id, int(enabled))
    if not enabled:
        yield from _sign_out(teacher.id)
    return (yield from find_teacher(name))


def set_teacher_password(staff_id: int, password_hash: str, *, initial: bool) -> Work[None]:
    """Change a password; whoever is signed in with the old one is so no longer."""
    yield ask(
        "UPDATE staff SET password_hash = $2, password_is_initial = $3 WHERE id = $1",
        staff_id, password_hash, int(initial),
    )  # fmt: skip
    yield from _sign_out(staff_id)


def _sign_out(staff_id: int) -> Work[None]:
    yield ask("DELETE FROM sessions WHERE staff_id = $1", staff_id)


def add_staff_key(name: str, key: NewKey) -> Work[Teacher]:
    """One more key; those there are go on working."""
    teacher = yield from find_teacher(name)
    yield ask(
        "INSERT INTO staff_keys (staff_id, hash, prefix, created_at) "
        "VALUES ($1, $2, $3, utc_now())",
        teacher.id, key.hash, key.prefix,
    )  # fmt: skip
    return (yield from find_teacher(name))


def revoke_staff_keys(name: str) -> Work[int]:
    """Let no key of a member of staff work any more; gives how many did."""
    teacher = yield from find_teacher(name)
    revoked = yield ask(
        "UPDATE staff_keys SET revoked_at = utc_now() WHERE staff_id = $1 AND revoked_at IS NULL "
        "RETURNING id",
        teacher.id,
    )
    return len(revoked)


def staff_key_holder(key_hash: bytes) -> Work[Teacher | None]:
    """Whose key for the staff API that is, if it is live and they are enabled."""
    rows = yield ask(
        f"{_TEACHER} WHERE enabled = 1 AND id = "
        "(SELECT staff_id FROM staff_keys WHERE hash = $1 AND revoked_at IS NULL)",
        key_hash,
    )
    return _teacher_of_row(rows[0]) if rows else None
