"""Keeping key and address where the notebook finds them, and git does not."""

from pathlib import Path

from swsllm_nb.notebook.connection import find_connection
from swsllm_nb.notebook.envfile import ENV, update_env_file
from swsllm_nb.notebook.git import is_ignored, is_in_work_tree

__all__ = ["ignore_in_git", "write_env"]


def write_env(folder: Path, base_url: str, key: str) -> Path:
    """Write both into the folder's ``.env``, which git is told to ignore first.

    Raises NotConnected for what cannot be a key or an address, LLMError where nothing can be
    written there.
    """
    connection = find_connection(base_url, key, environ={}, start_folder=folder)
    path = folder / ENV
    ignore_in_git(path)
    values = {"SWSLLM_BASE_URL": connection.base_url, "SWSLLM_API_KEY": connection.key}
    update_env_file(path, values)
    return path


def ignore_in_git(path: Path) -> bool:
    """Add a file's name to ``.gitignore`` beside it, where git needs to be told; whether it was."""
    ignoring = path.parent / ".gitignore"
    if not (is_in_work_tree(path) or ignoring.exists()) or is_ignored(path):
        return False
    try:
        rules = ignoring.read_bytes() if ignoring.exists() else b""
        if path.name.encode() in (line.strip() for line in rules.splitlines()):
            return False
        newline = b"\r\n" if b"\r\n" in rules else b"\n"
        gap = newline if rules and not rules.endswith(b"\n") else b""
        with ignoring.open("ab") as file:
            file.write(gap + path.name.encode() + newline)
    except OSError:
        # That git is not told is warned of at the first call.
        return False
    return True
