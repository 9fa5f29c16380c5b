"""What staff have been asked about and not answered yet: each is done once, or not at all.

It lies in the database, so that whichever process gets the answer knows what was shown, and so
that an answer which is sent a second time, by a reload or a double click, does nothing.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from swsllm_nb.proxy.page.moments import later, now
from swsllm_nb.proxy.work import Work, ask

__all__ = ["forget", "keep", "look", "take"]

_SECONDS: Final = 3600
_AT_ONCE: Final = 10


def keep(staff_id: int, asked: Mapping[str, Any]) -> Work[str]:
    """Note what is asked; gives the token under which it can be taken, for an hour.

    Of one teacher only the newest ten are kept: a roster that is looked at may be large.
    """
    yield from forget()
    moment = yield from now()
    yield ask(
        "DELETE FROM pending WHERE staff_id = $1 AND token NOT IN "
        "(SELECT token FROM pending WHERE staff_id = $1 ORDER BY at DESC, token LIMIT $2)",
        staff_id, _AT_ONCE - 1,
    )  # fmt: skip
    token = secrets.token_urlsafe(16)
    yield ask(
        "INSERT INTO pending (token, staff_id, at, document) VALUES ($1, $2, $3, $4)",
        token, staff_id, moment, json.dumps(asked),
    )  # fmt: skip
    return token


def take(staff_id: int, token: str) -> Work[dict[str, Any] | None]:
    """What that teacher was asked, if it waits for an answer still. Nobody gets it once more."""
    moment = yield from now()
    rows = yield ask(
        "DELETE FROM pending WHERE token = $1 AND staff_id = $2 AND at >= $3 RETURNING document",
        token, staff_id, later(moment, -_SECONDS),
    )  # fmt: skip
    return json.loads(rows[0]["document"]) if rows else None


def forget() -> Work[None]:
    """Of what nobody answered in time nothing is kept: a roster is full of names."""
    moment = yield from now()
    yield ask("DELETE FROM pending WHERE at < $1", later(moment, -_SECONDS))


def look(staff_id: int, token: str) -> Work[dict[str, Any] | None]:
    """What that teacher was asked; it goes on waiting for an answer."""
    moment = yield from now()
    rows = yield ask(
        "SELECT document FROM pending WHERE token = $1 AND staff_id = $2 AND at >= $3",
        token, staff_id, later(moment, -_SECONDS),
    )  # fmt: skip
    return json.loads(rows[0]["document"]) if rows else None
