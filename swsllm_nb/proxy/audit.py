"""The audit trail: every act of staff, written in the transaction of the act itself.

An act changes something, or takes away a file about people; what is only looked at is no act. No
row is ever pruned: the trail says who granted what the ledger charges.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from swsllm_nb.proxy.work import Work, ask

__all__ = ["LAB", "NOBODYS_NAMES", "PROXY", "STUDENT", "Entry", "entries", "forget", "note"]

STUDENT: Final = "the student"
"""The author of what students do themselves; whose account it is the entry says."""

PROXY: Final = "the proxy"
"""The author of rows in the ledger that nobody asked for."""

LAB: Final = "swsllm lab"

NOBODYS_NAMES: Final = (STUDENT, PROXY, LAB)
"""Authors that are no member of staff, and that no member of staff may be mistaken for."""


@dataclass(frozen=True)
class Entry:
    """One act: who did what and when, to which account (None where it concerns none)."""

    id: int
    at: str
    author: str
    act: str
    account: str | None
    details: Mapping[str, Any]


def note(author: str, act: str, account_id: int | None = None, /, **details: Any) -> Work[None]:
    """Write an act down. ``details`` never hold a key or a password."""
    yield ask(
        "INSERT INTO audit (at, author, act, account_id, details) "
        "VALUES (utc_now(), $1, $2, $3, $4)",
        author, act, account_id, json.dumps(details, ensure_ascii=False),
    )  # fmt: skip


def forget(account_id: int) -> Work[None]:
    """Take out of an account's entries what it and its person were called."""
    yield ask("UPDATE audit SET details = '{}' WHERE account_id = $1 AND act = 'edit'", account_id)


def entries(
    *, before: int | None = None, account_id: int | None = None, limit: int = 100
) -> Work[list[Entry]]:
    """The newest first; ``before`` is the id of the last one that was seen already."""
    rows = yield ask(
        "SELECT audit.id, at, author, act, accounts.name AS account, details FROM audit "
        "LEFT JOIN accounts ON accounts.id = audit.account_id "
        "WHERE audit.id < $1 AND (CAST($2 AS BIGINT) IS NULL OR account_id = $2) "
        "ORDER BY audit.id DESC LIMIT $3",
        2**63 - 1 if before is None else before, account_id, limit,
    )  # fmt: skip
    return [Entry(**{**row, "details": json.loads(row["details"])}) for row in rows]
