"""The scripts of the first four versions; what came later is in ``migrations``.

Amounts are pico-dollars, times UTC in ISO 8601. A ledger row is a call, a grant or an adjustment;
what a kind has no use for is NULL. ``$int``, ``$id``, ``$bytes`` and ``$strict`` are what the two
databases spell differently.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["EARLY_MIGRATIONS", "Migration"]


@dataclass(frozen=True)
class Migration:
    statements: tuple[str, ...]
    postgres_only: tuple[str, ...] = ()


_FIRST_LIGHT = Migration(
    (
        """
        CREATE TABLE accounts (
            id $id,
            name TEXT NOT NULL UNIQUE,
            password_hash TEXT NOT NULL,
            enabled $int NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
            budget_pico $int NOT NULL DEFAULT 0 CHECK (budget_pico >= 0),
            spend_pico $int NOT NULL DEFAULT 0,
            reserved_pico $int NOT NULL DEFAULT 0 CHECK (reserved_pico >= 0),
            created_at TEXT NOT NULL
        ) $strict
        """,
        """
        CREATE TABLE keys (
            id $id,
            account_id $int NOT NULL REFERENCES accounts (id),
            hash $bytes NOT NULL UNIQUE,
            prefix TEXT NOT NULL,
            created_at TEXT NOT NULL,
            revoked_at TEXT
        ) $strict
        """,
        """
        CREATE TABLE ledger (
            id $id,
            kind TEXT NOT NULL CHECK (kind IN ('call', 'grant', 'adjustment')),
            account_id $int NOT NULL REFERENCES accounts (id),
            at TEXT NOT NULL,
            amount_pico $int NOT NULL DEFAULT 0,
            reason TEXT,
            author TEXT,
            request_id TEXT UNIQUE,
            state TEXT CHECK (state IN ('held', 'settled', 'released', 'unconfirmed')),
            owner TEXT,
            key_id $int REFERENCES keys (id),
            upstream TEXT,
            model TEXT,
            stream $int CHECK (stream IN (0, 1)),
            hold_pico $int,
            cap_tokens $int,
            input_pico $int,
            cached_input_pico $int,
            output_pico $int,
            prompt_tokens $int,
            cached_tokens $int,
            cache_write_tokens $int,
            completion_tokens $int,
            reasoning_tokens $int,
            finished_at TEXT,
            CHECK ((kind = 'call') = (state IS NOT NULL)),
            CHECK (kind <> 'call' OR (request_id IS NOT NULL AND hold_pico IS NOT NULL))
        ) $strict
        """,
        "CREATE INDEX ledger_by_account ON ledger (account_id, id)",
        "CREATE INDEX ledger_held ON ledger (owner) WHERE state = 'held'",
    ),
)

_LIMITS = Migration(
    (
        "ALTER TABLE accounts ADD COLUMN in_flight $int NOT NULL DEFAULT 0 CHECK (in_flight >= 0)",
        "ALTER TABLE accounts ADD COLUMN in_flight_limit $int NOT NULL DEFAULT 8",
        "ALTER TABLE accounts ADD COLUMN per_minute_limit $int NOT NULL DEFAULT 120",
        "ALTER TABLE accounts ADD COLUMN paced_until_micros $int",
        "ALTER TABLE accounts ADD COLUMN valid_from TEXT",
        "ALTER TABLE accounts ADD COLUMN valid_until TEXT",
        "ALTER TABLE accounts ADD COLUMN allowed_models TEXT",
        "ALTER TABLE accounts ADD COLUMN deleted_at TEXT",
        """
        UPDATE accounts SET in_flight = (SELECT count(*) FROM ledger l
            WHERE l.account_id = accounts.id AND l.state = 'held')
        """,
        "ALTER TABLE ledger ADD COLUMN prices TEXT",
        """
        UPDATE ledger SET prices = '{"input":' || input_pico || ',"output":' || output_pico ||
            coalesce(',"cached_input":' || cached_input_pico, '') || '}' WHERE kind = 'call'
        """,
        "ALTER TABLE ledger DROP COLUMN input_pico",
        "ALTER TABLE ledger DROP COLUMN cached_input_pico",
        "ALTER TABLE ledger DROP COLUMN output_pico",
        "ALTER TABLE ledger ADD COLUMN adjusts_id $int REFERENCES ledger (id)",
        "ALTER TABLE ledger ADD COLUMN breach TEXT CHECK (breach IN ('bound', 'service_tier'))",
        "CREATE INDEX ledger_adjusts ON ledger (adjusts_id) WHERE adjusts_id IS NOT NULL",
        "CREATE INDEX keys_live ON keys (account_id) WHERE revoked_at IS NULL",
        """
        CREATE TABLE course (
            id $int PRIMARY KEY CHECK (id = 1),
            cap_pico $int CHECK (cap_pico >= 0),
            secret_check $bytes
        ) $strict
        """,
        "INSERT INTO course (id) VALUES (1)",
        """
        CREATE TABLE models (
            id TEXT PRIMARY KEY,
            document TEXT NOT NULL,
            author TEXT NOT NULL,
            changed_at TEXT NOT NULL
        ) $strict
        """,
    ),
    postgres_only=(
        "CREATE TABLE processes (owner TEXT PRIMARY KEY, alive_until TEXT NOT NULL)",
        """
        CREATE FUNCTION utc_text(moment timestamptz) RETURNS text LANGUAGE sql AS
        'SELECT to_char(moment AT TIME ZONE ''UTC'', ''YYYY-MM-DD"T"HH24:MI:SS.US"Z"'')'
        """,
        """
        CREATE FUNCTION utc_now() RETURNS text LANGUAGE sql VOLATILE AS
        'SELECT utc_text(clock_timestamp())'
        """,
        """
        CREATE FUNCTION unix_micros() RETURNS bigint LANGUAGE sql VOLATILE AS
        'SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)'
        """,
        """
        CREATE FUNCTION owner_lives(wanted text) RETURNS boolean LANGUAGE sql VOLATILE AS
        'SELECT EXISTS (SELECT 1 FROM processes WHERE owner = wanted AND alive_until > utc_now())'
        """,
    ),
)

_PAGE = Migration(
    (
        "ALTER TABLE accounts ADD COLUMN full_name TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE accounts ADD COLUMN email TEXT NOT NULL DEFAULT ''",
        """
        ALTER TABLE accounts ADD COLUMN password_is_initial $int NOT NULL DEFAULT 1
            CHECK (password_is_initial IN (0, 1))
        """,
        "ALTER TABLE accounts ADD COLUMN language TEXT",
        "ALTER TABLE keys ADD COLUMN sealed $bytes",
        "ALTER TABLE course ADD COLUMN name TEXT",
        "ALTER TABLE course ADD COLUMN begins TEXT",
        "ALTER TABLE course ADD COLUMN ends TEXT",
        "ALTER TABLE course ADD COLUMN contact TEXT",
        "ALTER TABLE course ADD COLUMN language TEXT",
        "ALTER TABLE course ADD COLUMN default_budget_pico $int CHECK (default_budget_pico >= 0)",
        "ALTER TABLE course ADD COLUMN default_models TEXT",
        "ALTER TABLE course ADD COLUMN retention_days $int CHECK (retention_days > 0)",
        "ALTER TABLE course ADD COLUMN keys_shown_once $int CHECK (keys_shown_once IN (0, 1))",
        "ALTER TABLE course ADD COLUMN summed_up_to_id $int NOT NULL DEFAULT 0",
        """
        CREATE TABLE staff (
            id $id,
            name TEXT NOT NULL UNIQUE,
            password_hash TEXT NOT NULL,
            password_is_initial $int NOT NULL DEFAULT 1 CHECK (password_is_initial IN (0, 1)),
            enabled $int NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
            created_at TEXT NOT NULL
        ) $strict
        """,
        """
        CREATE TABLE staff_keys (
            id $id,
            staff_id $int NOT NULL REFERENCES staff (id),
            hash $bytes NOT NULL UNIQUE,
            prefix TEXT NOT NULL,
            created_at TEXT NOT NULL,
            revoked_at TEXT
        ) $strict
        """,
        """
        CREATE TABLE sessions (
            token_hash $bytes PRIMARY KEY,
            account_id $int REFERENCES accounts (id),
            staff_id $int REFERENCES staff (id),
            created_at TEXT NOT NULL,
            seen_at TEXT NOT NULL,
            expires_at TEXT NOT NULL,
            CHECK ((account_id IS NULL) <> (staff_id IS NULL))
        ) $strict
        """,
        """
        CREATE TABLE sign_in_failures (
            subject $bytes PRIMARY KEY,
            failures $int NOT NULL,
            last_at TEXT NOT NULL,
            blocked_until TEXT
        ) $strict
        """,
        """
        CREATE TABLE audit (
            id $id,
            at TEXT NOT NULL,
            author TEXT NOT NULL,
            act TEXT NOT NULL,
            account_id $int REFERENCES accounts (id),
            details TEXT NOT NULL
        ) $strict
        """,
        "CREATE INDEX audit_by_account ON audit (account_id, id)",
        """
        CREATE TABLE refusals (
            account_id $int NOT NULL,
            hour TEXT NOT NULL,
            code TEXT NOT NULL,
            model TEXT NOT NULL,
            refusals $int NOT NULL,
            last_at TEXT NOT NULL,
            PRIMARY KEY (account_id, hour, code, model)
        ) $strict
        """,
        """
        CREATE TABLE daily (
            day TEXT NOT NULL,
            account_id $int NOT NULL,
            model TEXT NOT NULL,
            calls $int NOT NULL,
            prompt_tokens $int NOT NULL,
            completion_tokens $int NOT NULL,
            amount_pico $int NOT NULL,
            PRIMARY KEY (day, account_id, model)
        ) $strict
        """,
        "CREATE INDEX daily_by_account ON daily (account_id, day, amount_pico)",
        "CREATE INDEX daily_spend ON daily (day, account_id, amount_pico)",
        """
        CREATE TABLE course_daily (
            day TEXT NOT NULL,
            model TEXT NOT NULL,
            calls $int NOT NULL,
            prompt_tokens $int NOT NULL,
            completion_tokens $int NOT NULL,
            amount_pico $int NOT NULL,
            PRIMARY KEY (day, model)
        ) $strict
        """,
        """
        CREATE INDEX ledger_grants ON ledger (account_id, at, amount_pico) WHERE kind = 'grant'
        """,
        """
        CREATE INDEX ledger_unconfirmed ON ledger (account_id, id, amount_pico)
            WHERE state = 'unconfirmed'
        """,
        """
        CREATE INDEX ledger_carried ON ledger (account_id)
            WHERE kind = 'adjustment' AND adjusts_id IS NULL
        """,
        "CREATE INDEX refusals_by_hour ON refusals (hour)",
        """
        CREATE TABLE pending (
            token TEXT PRIMARY KEY,
            staff_id $int NOT NULL REFERENCES staff (id),
            at TEXT NOT NULL,
            document TEXT NOT NULL
        ) $strict
        """,
    ),
)

_LAST_CALL: Final = Migration(
    (
        "ALTER TABLE accounts ADD COLUMN last_call_at TEXT",
        """
        UPDATE accounts SET last_call_at = (
            SELECT at FROM ledger WHERE account_id = accounts.id AND kind = 'call'
            ORDER BY ledger.id DESC LIMIT 1
        )
        """,
    )
)

EARLY_MIGRATIONS: Final = (_FIRST_LIGHT, _LIMITS, _PAGE, _LAST_CALL)
