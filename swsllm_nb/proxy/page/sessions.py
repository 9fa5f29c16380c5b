"""Who is signed in: sessions kept by the server, each for one student or one teacher."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from swsllm_nb.proxy.page.moments import later, now, seconds_between
from swsllm_nb.proxy.standing import ACCOUNT, Account, account_of_row
from swsllm_nb.proxy.work import Work, ask

__all__ = [
    "Area",
    "Person",
    "Signing",
    "begin",
    "end",
    "find",
    "note_seen",
    "signing",
]

Area: TypeAlias = Literal["student", "staff"]

IDLE_SECONDS: Final = 8 * 3600
LONGEST_SECONDS: Final = 24 * 3600
_SEEN_SECONDS: Final = 300
_COLUMN: Final[dict[Area, str]] = {"student": "account_id", "staff": "staff_id"}
_TABLE: Final[dict[Area, str]] = {"student": "accounts", "staff": "staff"}


@dataclass(frozen=True)
class Person:
    """Who is signed in: a student with the account as it stands, or a teacher without one."""

    area: Area
    id: int
    name: str
    full_name: str
    must_change_password: bool
    language: str | None
    account: Account | None


@dataclass(frozen=True)
class Signing:
    """What decides about a sign-in."""

    id: int
    password_hash: str = field(repr=False)
    enabled: bool
    password_is_initial: bool

    @property
    def initial_hash(self) -> str:
        """The hash of a password that nobody chose; "" where somebody did."""
        return self.password_hash if self.password_is_initial else ""


def signing(area: Area, name: str) -> Work[Signing | None]:
    """Who has that name; None for nobody, and for an account that was deleted."""
    present = "AND deleted_at IS NULL" if area == "student" else ""
    rows = yield ask(
        "SELECT id, password_hash, enabled, password_is_initial "
        f"FROM {_TABLE[area]} WHERE name = $1 {present}",
        name,
    )
    flags = ("enabled", "password_is_initial")
    return Signing(**{**rows[0], **{flag: bool(rows[0][flag]) for flag in flags}}) if rows else None


def begin(
    area: Area, person_id: int, token_hash: bytes, old_token_hash: bytes | None
) -> Work[None]:
    """Let a new token stand for a person; the browser's old one, and all that expired, end."""
    moment = yield from now()
    if old_token_hash is not None:
        yield from end(old_token_hash)
    yield ask(
        "DELETE FROM sessions WHERE expires_at < $1 OR seen_at < $2",
        moment, later(moment, -IDLE_SECONDS),
    )  # fmt: skip
    yield ask(
        f"INSERT INTO sessions (token_hash, {_COLUMN[area]}, created_at, seen_at, expires_at) "
        "VALUES ($1, $2, $3, $3, $4)",
        token_hash, person_id, moment, later(moment, LONGEST_SECONDS),
    )  # fmt: skip


def find(area: Area, token_hash: bytes) -> Work[tuple[Person, bool] | None]:
    """Whose session that is, if it lives, and whether it is time to note that it was seen."""
    rows = yield ask(_FIND[area], token_hash)
    if not rows:
        return None
    row = rows[0]
    idle_seconds = seconds_between(row["seen_at"], row["now"])
    if idle_seconds > IDLE_SECONDS or row["expires_at"] <= row["now"]:
        return None
    return _person(area, row), idle_seconds > _SEEN_SECONDS


_FIND: Final[dict[Area, str]] = {
    "student": f"""
        SELECT {ACCOUNT}, seen_at, expires_at, utc_now() AS now
        FROM sessions JOIN accounts ON accounts.id = account_id
        WHERE token_hash = $1 AND enabled = 1 AND deleted_at IS NULL
    """,
    "staff": """
        SELECT staff.id, name, '' AS full_name, NULL AS language, password_is_initial, seen_at,
            expires_at, utc_now() AS now
        FROM sessions JOIN staff ON staff.id = staff_id WHERE token_hash = $1 AND enabled = 1
    """,
}


def _person(area: Area, row: Any) -> Person:
    return Person(
        area=area,
        id=row["id"],
        name=row["name"],
        full_name=row["full_name"],
        must_change_password=bool(row["password_is_initial"]),
        language=row["language"],
        account=account_of_row(row) if area == "student" else None,
    )


def note_seen(token_hash: bytes) -> Work[None]:
    yield ask("UPDATE sessions SET seen_at = utc_now() WHERE token_hash = $1", token_hash)


def end(token_hash: bytes) -> Work[None]:
    yield ask("DELETE FROM sessions WHERE token_hash = $1", token_hash)
