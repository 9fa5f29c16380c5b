"""The database's shape: forward migrations, applied in order when a store is opened.

Amounts are pico-dollars, times UTC in ISO 8601. A ledger row is a call, a grant or an adjustment;
what a kind has no use for is NULL.
"""

import sqlite3

__all__ = ["migrate"]

_MIGRATIONS = (
    """
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        password_hash TEXT NOT NULL,
        enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
        budget_pico INTEGER NOT NULL DEFAULT 0 CHECK (budget_pico >= 0),
        spend_pico INTEGER NOT NULL DEFAULT 0,
        reserved_pico INTEGER NOT NULL DEFAULT 0 CHECK (reserved_pico >= 0),
        created_at TEXT NOT NULL
    ) STRICT;

    CREATE TABLE keys (
        id INTEGER PRIMARY KEY,
        account_id INTEGER NOT NULL REFERENCES accounts (id),
        hash BLOB NOT NULL UNIQUE,
        prefix TEXT NOT NULL,
        created_at TEXT NOT NULL,
        revoked_at TEXT
    ) STRICT;

    CREATE TABLE ledger (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('call', 'grant', 'adjustment')),
        account_id INTEGER NOT NULL REFERENCES accounts (id),
        at TEXT NOT NULL,
        amount_pico INTEGER NOT NULL DEFAULT 0,
        reason TEXT,
        author TEXT,
        request_id TEXT UNIQUE,
        state TEXT CHECK (state IN ('held', 'settled', 'released', 'unconfirmed')),
        owner TEXT,
        key_id INTEGER REFERENCES keys (id),
        upstream TEXT,
        model TEXT,
        stream INTEGER CHECK (stream IN (0, 1)),
        hold_pico INTEGER,
        cap_tokens INTEGER,
        input_pico INTEGER,
        cached_input_pico INTEGER,
        output_pico INTEGER,
        prompt_tokens INTEGER,
        cached_tokens INTEGER,
        cache_write_tokens INTEGER,
        completion_tokens INTEGER,
        reasoning_tokens INTEGER,
        finished_at TEXT,
        CHECK ((kind = 'call') = (state IS NOT NULL)),
        CHECK (kind <> 'call' OR (request_id IS NOT NULL AND hold_pico IS NOT NULL))
    ) STRICT;

    CREATE INDEX ledger_by_account ON ledger (account_id, id);
    CREATE INDEX ledger_held ON ledger (owner) WHERE state = 'held';
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest version. Raises ValueError for one that is newer."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise ValueError(
                f"The database is of version {version}, this program knows {len(_MIGRATIONS)}; "
                "install a newer swsllm-nb."
            )
        for script in _MIGRATIONS[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")
