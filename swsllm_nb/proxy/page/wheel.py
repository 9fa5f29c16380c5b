"""This very package as a wheel, so that students install what fits the proxy they talk to.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

__all__ = ["own_version", "own_wheel", "wheel_name"]

_PACKAGE: Final = Path(__file__).parents[2]
_NAME: Final = "swsllm_nb"
_METADATA: Final = ("METADATA", "WHEEL", "entry_points.txt")
_LEFT_OUT: Final = ("__pycache__",)
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)


@cache
def own_version() -> str:
    return distribution("swsllm-nb").version


def wheel_name() -> str:
    return f"{_NAME}-{own_version()}-py3-none-any.whl"


@cache
def own_wheel() -> bytes:
    """The wheel's bytes, the same for the same files; takes a second, and stays in memory."""
    folder = f"{_NAME}-{own_version()}.dist-info"
    record: list[str] = []
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _files(folder):
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), content, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(content)}")
        record.append(f"{folder}/RECORD,,")
        archive.writestr(zipfile.ZipInfo(f"{folder}/RECORD", _EARLIEST), "\n".join(record) + "\n")
    return packed.getvalue()


def _files(folder: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(_PACKAGE.rglob("*")):
        inside = path.relative_to(_PACKAGE)
        if path.is_file() and not any(part in _LEFT_OUT for part in inside.parts):
            yield f"{_NAME}/{inside.as_posix()}", path.read_bytes()
    installed = distribution("swsllm-nb")
    for name in _METADATA:
        text = installed.read_text(name)
        if text:
            yield f"{folder}/{name}", text.encode()
