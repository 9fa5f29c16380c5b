"""The machine under a proxy: who can read its secrets, and whether its disk has room."""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from swsllm_nb.proxy.settings import secret_places
from swsllm_nb.proxy.sqlite import DATABASE_NAME

__all__ = ["Finding", "files", "room"]

LITTLE_BYTES: Final = 2 * 10**9
TOO_LITTLE_BYTES: Final = 200 * 10**6


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: all is well, a teacher should look at it, or it is wrong."""

    subject: str
    verdict: Literal["good", "look", "wrong"]
    sentence: str


def room(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    told = f"{free / 10**9:.1f} GB are free for {folder}"
    if free < TOO_LITTLE_BYTES:
        return Finding("disk", "wrong", f"{told}: on a full disk no call is admitted. Make room.")
    if free < LITTLE_BYTES:
        return Finding("disk", "look", f"{told}. A million calls take about 0.5 GB.")
    return Finding("disk", "good", f"{told}.")


def files(folder: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Who else can read the secrets and the database."""
    if os.name != "posix":
        yield Finding("secrets", "look", "Who can read them is not looked at on this system.")
        return
    for variable in secret_places(environ).variables:
        yield Finding(
            "secrets", "good", f"{variable} is in the environment: root and {_owner(os.getuid())} "
            "can read it.",
        )  # fmt: skip
    for path in secret_places(environ).files:
        yield _readers(path, path)
    for name in ("secret", DATABASE_NAME):
        if (folder / name).exists():
            yield _readers(folder / name, folder)


def _readers(path: Path, closed: Path) -> Finding:
    """Who can read a file; ``closed`` is it, or its folder, whichever is to be closed to others."""
    modes = [one.stat().st_mode for one in {path, closed}]
    for bits, who in ((stat.S_IROTH | stat.S_IXOTH, "everybody"), (stat.S_IRWXG, "its group")):
        if all(mode & bits for mode in modes):
            command = f"chmod {'700' if closed.is_dir() else '600'} {closed}"
            return Finding("secrets", "wrong", f"{path} can be read by {who} here: {command}")
    owner = path.stat().st_uid
    if os.getuid() not in (0, owner):
        return Finding(
            "secrets", "look", f"{path} belongs to {_owner(owner)}, and this is "
            f"{_owner(os.getuid())}: who serves should own it.",
        )  # fmt: skip
    return Finding("secrets", "good", f"{path} can be read by root and {_owner(owner)} alone.")


def _owner(user_id: int) -> str:
    import pwd  # not on every platform

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"user {user_id}"
