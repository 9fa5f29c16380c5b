"""The scripts that make the database's shape, oldest first; ``early_migrations`` says how."""

from typing import Final

from swsllm_nb.proxy.early_migrations import EARLY_MIGRATIONS, Migration

__all__ = ["MIGRATIONS", "Migration"]

_EXERCISES: Final = Migration(
    (
        "ALTER TABLE ledger ADD COLUMN exercise TEXT",
        # Copied, because SQLite cannot change a key.
        "CREATE TABLE daily_before AS SELECT * FROM daily",
        "DROP TABLE daily",
        """
        CREATE TABLE daily (
            day TEXT NOT NULL,
            account_id $int NOT NULL,
            model TEXT NOT NULL,
            exercise TEXT NOT NULL,
            calls $int NOT NULL,
            prompt_tokens $int NOT NULL,
            completion_tokens $int NOT NULL,
            amount_pico $int NOT NULL,
            PRIMARY KEY (day, account_id, model, exercise)
        ) $strict
        """,
        """
        INSERT INTO daily SELECT day, account_id, model, '', calls, prompt_tokens,
            completion_tokens, amount_pico FROM daily_before
        """,
        "DROP TABLE daily_before",
        "CREATE INDEX daily_by_account ON daily (account_id, day, amount_pico)",
        "CREATE INDEX daily_spend ON daily (day, account_id, amount_pico)",
        "CREATE TABLE course_daily_before AS SELECT * FROM course_daily",
        "DROP TABLE course_daily",
        """
        CREATE TABLE course_daily (
            day TEXT NOT NULL,
            model TEXT NOT NULL,
            exercise TEXT NOT NULL,
            calls $int NOT NULL,
            prompt_tokens $int NOT NULL,
            completion_tokens $int NOT NULL,
            amount_pico $int NOT NULL,
            PRIMARY KEY (day, model, exercise)
        ) $strict
        """,
        """
        INSERT INTO course_daily SELECT day, model, '', calls, prompt_tokens,
            completion_tokens, amount_pico FROM course_daily_before
        """,
        "DROP TABLE course_daily_before",
        "CREATE INDEX ledger_granted ON ledger (at, id) WHERE kind = 'grant'",
    )
)

MIGRATIONS: Final = (*EARLY_MIGRATIONS, _EXERCISES)
"""What columns and tables hold, where a name does not say it:

``keys.sealed`` is the key encrypted for its student; NULL for keys that are older than the page.
``course.begins`` and ``ends`` are days, ``default_models`` is JSON (or NULL for all), and up to row
``summed_up_to_id`` every row of the ledger is closed for good and summed up: calls and adjustments
by UTC day, account, model and exercise in ``daily``, and of all accounts together in
``course_daily`` (the model is '' where an adjustment names no call, the exercise where none was
named). ``daily`` and ``refusals`` have no foreign key: its check would lock accounts, and calls
would wait for the sums.
``pending`` are acts that staff were asked about and did not confirm yet, for an hour at most.
``sign_in_failures.subject`` is a keyed hash of a name or an address. ``refusals`` counts what was
refused to an account, by UTC hour.
"""
