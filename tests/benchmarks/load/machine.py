"""The machine that a benchmark ran on, and what one durable write costs there."""

import os
import platform
import re
import sqlite3
import statistics
import subprocess
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from load.postgres import programs
from load.processes import NotStarted

LIBRARIES = ("uvicorn", "uvloop", "httptools", "aiohttp", "asyncpg")
VERSION = r"(\d+\.\d+[\d.]*)"
WRK = r"wrk (\S+)"
BLOCK = b"x" * 4096


def describe(folder: Path, litellm: Path | None) -> str:
    """Cores, processor, memory, disk and all versions that matter, in a few lines."""
    processor = _first(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(_first(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())) / 2**20
    versions = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    for library in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions.append(f"{library} {metadata.version(library)}")
    nginx, wrk = _said("nginx", "-v"), _said("wrk", "-v")
    versions += [f"nginx {_first(VERSION, nginx)}", f"wrk {_first(WRK, wrk)}"]
    with suppress(NotStarted):
        versions.append(f"PostgreSQL {_first(VERSION, _said(str(programs() / 'postgres'), '-V'))}")
    if litellm:
        versions.append(f"LiteLLM {_first(VERSION, _said(str(litellm), '--version'))}")
    kind = _said("stat", "-f", "-c", "%T", str(folder)).strip()
    return (
        f"{os.cpu_count()} cores {processor}, {memory:.0f} GiB; Linux {platform.release()}; "
        f"{kind} at {folder.parent}; load {os.getloadavg()[0]:.1f} before\n{', '.join(versions)}"
    )


def fsync_ms(folder: Path, times: int = 500) -> float:
    """Median of writing 4 KiB and waiting until the disk has it."""
    path = folder / "fsync"
    taken = []
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for _ in range(times):
            begin = time.perf_counter()
            os.write(file, BLOCK)
            os.fdatasync(file)
            taken.append(time.perf_counter() - begin)
    finally:
        os.close(file)
        path.unlink()
    return statistics.median(taken) * 1000


class Disturbance:
    """How much of the machine others took: work that is not of our family, and stolen time."""

    def __init__(self) -> None:
        self._before = self._read()

    @staticmethod
    def _read() -> list[int]:
        line = Path("/proc/stat").read_text().splitlines()[0]
        return [int(field) for field in line.split()[1:9]]

    def stolen_percent(self) -> float:
        spent = [now - then for now, then in zip(self._read(), self._before, strict=True)]
        return 100 * spent[7] / max(sum(spent), 1)


def _said(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True)
    return ran.stdout + ran.stderr


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1].strip() if found else "?"
