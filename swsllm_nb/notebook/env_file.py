"""The ``.env`` that holds the key: written for its owner alone, and kept out of git."""

import os
import re
import subprocess
import tempfile
from enum import Enum
from pathlib import Path
from typing import Final

__all__ = ["Git", "git_sees", "is_private", "keep_out_of_git", "make_private", "write_env"]

_OWNER_ALONE: Final = 0o600
_GIT_SECONDS: Final = 10.0


class Git(Enum):
    """What git makes of a file."""

    NO_REPOSITORY = "no repository"
    IGNORED = "ignored"
    NOT_IGNORED = "not ignored"
    TRACKED = "tracked"


def write_env(path: Path, base_url: str, key: str) -> None:
    """Puts both lines into the file in place of earlier ones; all else in it stays.

    Raises OSError, and then the file is as it was.
    """
    told = {"SWSLLM_BASE_URL": base_url, "SWSLLM_API_KEY": key}
    path = path.resolve()
    earlier = path.read_text("utf-8-sig").splitlines() if path.exists() else []
    ours = re.compile(rf"\s*(export\s+)?({'|'.join(told)})\s*=")
    kept = [line for line in earlier if not ours.match(line)]
    lines = [*kept, *(f"{name}={value}" for name, value in told.items())]
    # A file of its own, readable by its owner alone from the first byte on.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".env-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def is_private(path: Path) -> bool:
    """Whether its owner alone may read it; where the system has no such bits, it is."""
    return os.name != "posix" or not path.stat().st_mode & 0o077


def make_private(path: Path) -> None:
    path.chmod(_OWNER_ALONE)


def git_sees(path: Path) -> Git:
    """What git makes of a file; without git what the ``.gitignore`` beside it says."""
    try:
        ignored = _git(path, "check-ignore", "--quiet", "--no-index", path.name)
        is_tracked = _git(path, "ls-files", "--error-unmatch", path.name) == 0
    except (OSError, subprocess.SubprocessError):
        return Git.IGNORED if _has_line(path) else Git.NOT_IGNORED
    if is_tracked:
        return Git.TRACKED
    return {0: Git.IGNORED, 1: Git.NOT_IGNORED}.get(ignored, Git.NO_REPOSITORY)


def keep_out_of_git(path: Path) -> bool:
    """Adds the file's line to the ``.gitignore`` beside it, where it needs one. Raises OSError."""
    if _has_line(path) or git_sees(path) is Git.IGNORED:
        return False
    list_of_ignored = path.with_name(".gitignore")
    earlier = list_of_ignored.read_text("utf-8") if list_of_ignored.exists() else ""
    end = "" if earlier.endswith("\n") or not earlier else "\n"
    list_of_ignored.write_text(f"{earlier}{end}{path.name}\n", "utf-8")
    return True


def _has_line(path: Path) -> bool:
    try:
        lines = path.with_name(".gitignore").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return any(line.strip() in (path.name, f"/{path.name}") for line in lines)


def _git(path: Path, *words: str) -> int:
    # S603, S607: our own words, and the git that is installed.
    run = subprocess.run(  # noqa: S603
        ["git", *words],  # noqa: S607
        cwd=path.parent,
        capture_output=True,
        timeout=_GIT_SECONDS,
        check=False,
    )
    return run.returncode
