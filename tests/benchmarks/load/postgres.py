"""A PostgreSQL server of its own, durable as it comes: fsync and synchronous_commit are on."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from load.processes import (
    LOAD_CORE,
    START_SECONDS,
    NotStarted,
    Running,
    environment,
    free_port,
    started,
)

ROLE = "benchmark"


@dataclass(frozen=True)
class Server:
    programs: Path
    port: int
    running: Running

    def url(self, database: str) -> str:
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{database}"

    def ask(self, database: str, sql: str) -> str:
        """Run SQL; gives what it selects, columns separated by tabs."""
        command = [str(self.programs / "psql"), "-XqAt", "-F\t", "-vON_ERROR_STOP=1"]
        ran = subprocess.run(
            [*command, self.url(database)], input=sql,
            capture_output=True, text=True, env=environment(),
        )  # fmt: skip
        if ran.returncode:
            raise NotStarted(ran.stderr.strip())
        return ran.stdout.strip()

    def new_database(self, name: str) -> str:
        self.ask("postgres", f"CREATE DATABASE {name}")
        return self.url(name)


def programs() -> Path:
    """The folder of the newest server: Debian's own place, else PATH. Raises NotStarted."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0,
    )
    found = str(debian[-1]) if debian else shutil.which("postgres")
    if not found:
        raise NotStarted("no PostgreSQL server in /usr/lib/postgresql or on PATH")
    return Path(found).parent


def _unprivileged() -> int | None:
    """Whom the server runs as, where root asks: it refuses to be root."""
    if os.getuid():
        return None
    return pwd.getpwnam("nobody").pw_uid


@contextmanager
def postgres(folder: Path) -> Iterator[Server]:
    """A running server on a free port of the load's core. Raises NotStarted."""
    place, user = programs(), _unprivileged()
    folder.mkdir()
    if user is not None:
        os.chown(folder, user, -1)
    subprocess.run(
        [place / "initdb", "-D", folder / "data", "-U", ROLE, "-A", "trust", "-N"],
        check=True, capture_output=True, cwd=folder, env=environment(),
        user=user, group=user, extra_groups=None if user is None else [],
    )  # fmt: skip
    port = free_port()
    command: list[str | Path] = [place / "postgres", "-D", folder / "data"]
    command += ["-p", str(port), "-k", folder]
    output = folder / "output.log"
    with started(command, LOAD_CORE, output, user=user) as running:
        server = Server(place, port, running)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                server.ask("postgres", "SELECT 1")
                break
            except NotStarted:
                if running.process.poll() is not None or time.monotonic() > deadline:
                    raise NotStarted(running.last_words()) from None
                time.sleep(0.02)
        yield server
