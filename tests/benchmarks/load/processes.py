"""The processes of a benchmark: started on one core, watched from outside, ended at exit."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[1]
ROOT = HERE.parents[1]
PROXY_CORE = "0"
LOAD_CORE = "1"
START_SECONDS = 60
STOP_SECONDS = 10
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 2**20


class NotStarted(Exception):
    """A process ended, or did not answer, before it was ready; says its last words."""


@dataclass(frozen=True)
class Running:
    """A process in a session of its own, with the file that its output goes to."""

    process: "subprocess.Popen[bytes]"
    output: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def last_words(self) -> str:
        lines = self.output.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def wait_until_ready(self, port: int, path: str) -> None:
        """Until a GET is answered with 200. Raises NotStarted."""
        deadline = time.monotonic() + START_SECONDS
        while not answers(port, path):
            if self.process.poll() is not None:
                raise NotStarted(self.last_words())
            if time.monotonic() > deadline:
                raise NotStarted(f"no answer in {START_SECONDS} s; {self.last_words()}")
            time.sleep(0.001)

    def wait_until_quiet(self, patience_seconds: float = 30) -> None:
        """Until it hardly uses its core: what a load left behind is worked off."""
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            before = cpu_seconds(self.pid)
            time.sleep(0.3)
            if cpu_seconds(self.pid) - before < 0.03:
                return


@contextmanager
def started(
    command: Sequence[str | Path],
    core: str,
    output: Path,
    *,
    user: int | None = None,
    told: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """A process pinned to ``core``; what it prints goes to a file, as a service's log would."""
    pinned = ["taskset", "-c", core, *map(str, command)]
    with output.open("ab") as file:
        process = subprocess.Popen(
            pinned, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            cwd=output.parent, env=environment(**told or {}), start_new_session=True,
            user=user, group=user, extra_groups=None if user is None else [],
        )  # fmt: skip
    try:
        yield Running(process, output)
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    # Also what it started itself and left behind.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def environment(**told: str) -> dict[str, str]:
    """This process's environment without a word for or from a proxy, and this tree to import."""
    ours = ("SWSLLM_", "OPENAI_", "LITELLM_", "PG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONPATH": f"{ROOT}:{HERE}"} | told


def swsllm(*words: str | Path) -> str:
    """Run a command of ours; gives what it printed. Raises NotStarted."""
    command = [sys.executable, "-m", "swsllm_nb", *map(str, words)]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment())
    if ran.returncode:
        lines = ran.stderr.strip().splitlines()
        raise NotStarted(lines[-1] if lines else f"exit code {ran.returncode}")
    return ran.stdout


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children.setdefault(int(_fields(stat)[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all that it started."""
    total = 0
    for one in family(pid):
        with suppress(OSError):
            fields = _fields(Path(f"/proc/{one}/stat"))
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def thread_seconds(pid: int) -> dict[int, float]:
    """User and system time of each thread of a process, by its id."""
    seconds = {}
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):
            fields = _fields(stat)
            seconds[int(stat.parent.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def resident_mib(pid: int) -> float:
    """Resident memory of the largest of a process and all that it started."""
    page = os.sysconf("SC_PAGE_SIZE")
    sizes = []
    for one in family(pid):
        with suppress(OSError):
            sizes.append(int(Path(f"/proc/{one}/statm").read_text().split()[1]))
    return max(sizes) * page / MIB


def _fields(stat: Path) -> list[str]:
    """The fields after the command's name, which may contain blanks: state, parent, ..."""
    return stat.read_text().rpartition(")")[2].split()
