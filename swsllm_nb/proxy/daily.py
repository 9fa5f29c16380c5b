"""The ledger summed up by day, so that no page has to read a long ledger.

Up to row ``course.summed_up_to_id`` every call and adjustment is counted in ``daily`` and
``course_daily``, exactly once; whoever wants sums adds the rows that came after.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from swsllm_nb.proxy.work import Work, ask

__all__ = ["SUMS", "Moment", "moment", "sum_up", "unlike_the_ledger"]

BATCH_ROWS = 500

SUMS: Final = """
    CAST(sum(CASE WHEN l.kind = 'call' THEN 1 ELSE 0 END) AS BIGINT) AS calls,
    CAST(sum(coalesce(l.prompt_tokens, 0)) AS BIGINT) AS prompt_tokens,
    CAST(sum(coalesce(l.completion_tokens, 0)) AS BIGINT) AS completion_tokens,
    CAST(sum(l.amount_pico) AS BIGINT) AS amount_pico
    FROM ledger l LEFT JOIN ledger adjusted ON adjusted.id = l.adjusts_id
"""
"""What is summed up of ledger rows ``l``."""

_DAY = "substr(l.at, 1, 10)"
_MODEL = "coalesce(l.model, adjusted.model, '')"
_EXERCISE = "coalesce(l.exercise, adjusted.exercise, '')"
_ADDING = """
    calls = {0}.calls + excluded.calls,
    prompt_tokens = {0}.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = {0}.completion_tokens + excluded.completion_tokens,
    amount_pico = {0}.amount_pico + excluded.amount_pico
"""
_COUNTED = "calls, prompt_tokens, completion_tokens, amount_pico"
_BY_ACCOUNT = f"""
    INSERT INTO daily (day, account_id, model, exercise, {_COUNTED})
    SELECT {_DAY}, l.account_id, {_MODEL}, {_EXERCISE}, {SUMS}
    WHERE l.kind <> 'grant' AND l.id > $1 AND l.id <= $2 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (day, account_id, model, exercise) DO UPDATE SET {_ADDING.format("daily")}
"""
_BY_COURSE = f"""
    INSERT INTO course_daily (day, model, exercise, {_COUNTED})
    SELECT {_DAY}, {_MODEL}, {_EXERCISE}, {SUMS}
    WHERE l.kind <> 'grant' AND l.id > $1 AND l.id <= $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (day, model, exercise) DO UPDATE SET {_ADDING.format("course_daily")}
"""


@dataclass(frozen=True)
class Moment:
    """What a reading starts from: the last row that is summed up, and the database's time."""

    summed_up_to_id: int
    now: str


def moment() -> Work[Moment]:
    (row,) = yield ask("SELECT summed_up_to_id, utc_now() AS now FROM course")
    return Moment(row["summed_up_to_id"], row["now"])


def sum_up(complete_to_id: int) -> Work[bool]:
    """Sum up the next rows, a bounded number of them; gives whether there are more.

    Every row up to ``complete_to_id`` that there will ever be is visible. The first row that is
    still held ends what can be summed up, as nobody knows its cost yet.
    """
    # Without the plus both databases would look through the ledger by id until they find one.
    (row,) = yield ask(
        "SELECT summed_up_to_id, (SELECT min(+id) FROM ledger WHERE state = 'held') AS held_id "
        "FROM course FOR UPDATE"
    )
    done: int = row["summed_up_to_id"]
    held_id: int | None = row["held_id"]
    closed_to_id = complete_to_id if held_id is None else min(complete_to_id, held_id - 1)
    upto = min(done + BATCH_ROWS, closed_to_id)
    if upto <= done:
        return False
    yield ask(_BY_ACCOUNT, done, upto)
    yield ask(_BY_COURSE, done, upto)
    yield ask("UPDATE course SET summed_up_to_id = $1", upto)
    return upto < closed_to_id


def unlike_the_ledger() -> Work[list[Mapping[str, Any]]]:
    """What the days' sums have too much (or, below 0, too little); none, unless all is wrong."""
    upto = (yield from moment()).summed_up_to_id
    by_account = yield ask(
        _surplus(
            "daily",
            "day, account_id, model, exercise",
            f"SELECT {_DAY} AS day, l.account_id, {_MODEL} AS model, {_EXERCISE} AS exercise, "
            f"{SUMS} WHERE l.kind <> 'grant' AND l.id <= $1 "
            f"GROUP BY {_DAY}, l.account_id, {_MODEL}, {_EXERCISE}",
        ),
        upto,
    )
    by_course = yield ask(_surplus("course_daily", "day, model, exercise", "SELECT * FROM daily"))
    return [dict(row) for row in (*by_account, *by_course)]


def _surplus(table: str, key: str, rows: str) -> str:
    counted = _COUNTED.split(", ")
    less = ", ".join(f"-{name}" for name in counted)
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in counted)
    return f"""
        SELECT {key}, {sums} FROM (
            SELECT {key}, {_COUNTED} FROM {table}
            UNION ALL SELECT {key}, {less} FROM ({rows}) found
        ) compared GROUP BY {key}
        HAVING {" OR ".join(f"sum({name}) <> 0" for name in counted)} ORDER BY {key}
    """
