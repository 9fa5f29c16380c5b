"""A copy of the course's database while it serves, and a course made again from one.

Of SQLite by its own online backup, of PostgreSQL by its pg_dump and pg_restore. Both are one state
of the database. The secret is no part of it: kept together, a lost backup would be lost keys.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from swsllm_nb.proxy.sqlite import DATABASE_NAME
from swsllm_nb.proxy.store import database_at

__all__ = ["back_up", "restore"]

_SUFFIXES: Final = {False: ".sqlite3", True: ".pgdump"}
_SQLITE_MAGIC: Final = b"SQLite format 3\0"


def back_up(folder: Path, database: str | None, target: Path) -> Path:
    """Write a backup and give its path: ``target``, or a file of today's time in that folder.

    Only its owner can read it. Raises OSError or ValueError, in words, and leaves nothing behind.
    """
    if target.is_dir():
        now = datetime.now(UTC)
        target /= f"swsllm-{now:%Y%m%dT%H%M%SZ}{_SUFFIXES[database is not None]}"
    if target.exists():
        raise ValueError(f"{target} is there already: name another file, or a folder.")
    if database is None:
        _written(target, lambda part: _copy_sqlite(folder / DATABASE_NAME, part))
    else:
        # Who lives now does not live there: what it holds is to be swept at once.
        options = ("--format=custom", "--exclude-table-data=processes")
        _written(target, lambda part: _postgres("pg_dump", database, *options, f"--file={part}"))
    return target


async def restore(backup: Path, folder: Path, database: str | None) -> None:
    """Make a course again, in a place that has none. Raises OSError or ValueError in words."""
    with backup.open("rb") as file:
        is_sqlite = file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    if is_sqlite is not (database is None):
        kind = "SQLite" if is_sqlite else "PostgreSQL, or no backup at all"
        advice = "without --database" if is_sqlite else "with --database"
        raise ValueError(f"{backup} is a backup of {kind}: restore it {advice}.")
    version, _ = await database_at(folder, database).migrate(rehearse=True)
    if version:
        raise ValueError(
            "There is a course already, and it would be lost. Restore into another --data or "
            "--database, or move that one away first."
        )
    if database is None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _written(folder / DATABASE_NAME, lambda part: _copy_sqlite(backup, part))
    else:
        options = ("--exit-on-error", "--single-transaction", str(backup))
        _postgres("pg_restore", database, *options)


def _written(target: Path, write: Callable[[Path], None]) -> None:
    """A file that is there as a whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise OSError(f"{target} cannot be written ({error.strerror}).") from None
    try:
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _copy_sqlite(source: Path, target: Path) -> None:
    """A whole and sound copy in one file, however busy the source is."""
    try:
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        raise OSError(f"{source} cannot be copied ({error}).") from None
    if verdict != "ok":
        raise OSError(f"{source} is damaged, and was not copied: {verdict}")


def _postgres(name: str, database: str, *options: str) -> None:
    """Run one of PostgreSQL's own programs on a database."""
    program = shutil.which(name)
    if program is None:
        raise ValueError(
            f"{name} is not on this machine. On Debian: apt-get install postgresql-client."
        )
    address, password = _without_password(database)
    secret = {} if password is None else {"PGPASSWORD": password}
    ran = subprocess.run(  # noqa: S603
        [program, "--no-owner", "--no-privileges", f"--dbname={address}", *options],
        env={**os.environ, **secret}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        raise OSError(f"{name} failed: {ran.stderr.strip() or ran.returncode}")


def _without_password(url: str) -> tuple[str, str | None]:
    """An address that everybody may see in the list of processes, and the password apart."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query)
    passwords = [value for name, value in query if name == "password"]
    user, _, host = parts.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    if colon:
        passwords.append(unquote(password))
    kept = urlencode([(name, value) for name, value in query if name != "password"])
    shown = f"{parts.scheme}://{name}@{host}" if user else f"{parts.scheme}://{host}"
    shown += parts.path + (f"?{kept}" if kept else "")
    return shown, passwords[-1] if passwords else None
