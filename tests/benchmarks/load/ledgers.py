"""A ledger of many rows, made from one true row, so that its shape is the running program's."""

import sqlite3
from pathlib import Path

from load.postgres import Server

DATABASE = "swsllm.sqlite3"
FRESH = {
    "request_id": "'req_benchmark' || n",
    "at": "{moment}",
    "finished_at": "{moment}",
}
# Times of past weeks, in the ledger's order and form; no two digits ever need a zero in front.
MOMENT = (
    "'2025-10-' || (10 + n * 20 / {rows}) || 'T' || (10 + n % 10) || ':' || (10 + n % 50) "
    "|| ':30.000000Z'"
)


def statements(columns: list[str], rows: int) -> list[str]:
    """SQL for both databases: copies of the newest settled call, and the sums they make."""
    moment = MOMENT.format(rows=rows + 1)
    copied = [name for name in columns if name != "id"]
    values = [FRESH.get(name, f"l.{name}").format(moment=moment) for name in copied]
    newest = "(SELECT max(id) FROM ledger WHERE state = 'settled')"
    spent = (
        f"UPDATE accounts SET spend_pico = spend_pico + {rows} * l.amount_pico "
        f"FROM ledger l WHERE l.id = {newest} AND accounts.id = l.account_id"
    )
    inserted = (
        f"WITH RECURSIVE numbers (n) AS "
        f"(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}) "
        f"INSERT INTO ledger ({', '.join(copied)}) SELECT {', '.join(values)} "
        f"FROM numbers, ledger l WHERE l.id = {newest}"
    )
    return [spent, inserted]


def fill_sqlite(folder: Path, rows: int) -> None:
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    try:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(ledger)")]
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements(columns, rows):
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def fill_postgres(server: Server, database: str, rows: int) -> None:
    told = server.ask(
        database,
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_name = 'ledger' AND table_schema = 'public' ORDER BY ordinal_position",
    )
    server.ask(database, ";\n".join(["BEGIN", *statements(told.split(), rows), "COMMIT"]))
    server.ask(database, "VACUUM ANALYZE")
