"""All that the course keeps of one student, for whoever is to be told (GDPR, Article 15)."""

from collections.abc import Mapping
from typing import Any, Final

from swsllm_nb.proxy.accounts import named
from swsllm_nb.proxy.books import public_row
from swsllm_nb.proxy.course import course
from swsllm_nb.proxy.public import staff_account
from swsllm_nb.proxy.work import Work, ask

__all__ = ["personal_record"]

_ROWS_AT_ONCE = 1000

_PARTS: Final[Mapping[str, str]] = {
    "keys": "SELECT prefix, created_at, revoked_at FROM keys WHERE account_id = $1 ORDER BY id",
    "sessions": "SELECT created_at, seen_at, expires_at FROM sessions WHERE account_id = $1 "
    "ORDER BY created_at",
    "refusals": "SELECT hour, code, model, refusals, last_at FROM refusals WHERE account_id = $1 "
    "ORDER BY hour, code, model",
    "acts": "SELECT at, author, act, details FROM audit WHERE account_id = $1 ORDER BY id",
    "days": "SELECT day, model, exercise, calls, prompt_tokens, completion_tokens, amount_pico "
    "FROM daily WHERE account_id = $1 ORDER BY day, model, exercise",
}


def personal_record(name: str) -> Work[dict[str, Any]]:
    """What is kept of an account; never a question or an answer, for these are not kept.

    Password and keys are kept as hashes or encrypted, which tell nothing and are left out. Raises
    ValueError where there is no such account.
    """
    account = yield from named(name)
    record: dict[str, Any] = {
        "account": {
            **staff_account(account, (yield from course())),
            "created_at": account.created_at,
            "deleted_at": account.deleted_at,
        },
        "ledger": [],
    }
    after = 0
    while rows := (yield ask(_LEDGER, account.id, after, _ROWS_AT_ONCE)):
        record["ledger"] += map(public_row, rows)
        after = rows[-1]["id"]
    for part, sql in _PARTS.items():
        record[part] = [dict(row) for row in (yield ask(sql, account.id))]
    return record


_LEDGER = "SELECT * FROM ledger WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3"
