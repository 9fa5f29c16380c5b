"""Whether git would publish a file; never slow, and never failing where there is no git."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["is_ignored", "is_in_work_tree", "is_tracked"]

_PATIENCE_SECONDS: Final = 2.0


def is_in_work_tree(path: Path) -> bool:
    """Whether a repository is around a file; git itself is not asked."""
    return any((folder / ".git").exists() for folder in path.absolute().parents)


def is_ignored(path: Path) -> bool | None:
    """Whether git ignores a file; None where git cannot be asked."""
    return {0: True, 1: False}.get(_ask(path, "check-ignore", "-q", "--", path.name))


def is_tracked(path: Path) -> bool:
    """Whether a file is in the repository already."""
    return _ask(path, "ls-files", "--error-unmatch", "--", path.name) == 0


def _ask(path: Path, *words: str) -> int:
    git = shutil.which("git")
    if git is None or not is_in_work_tree(path):
        return -1
    # A repository may name a program here, which git would run.
    command = [git, "-c", "core.fsmonitor=false", "-C", str(path.absolute().parent), *words]
    try:
        asked = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return -1
    return asked.returncode
