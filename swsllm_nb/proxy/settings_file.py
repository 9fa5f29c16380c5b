"""The settings file: TOML, with the names of the SWSLLM_ variables in lower case. No secrets.

upstream = "https://api.openai.com/v1"
public_url = "https://llm.example.org/course"
trusted_proxies = ["127.0.0.1"]
"""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

__all__ = ["read_settings_file"]


class _Said(msgspec.Struct):
    """What a file may say; nothing has to be said."""

    data: str | None = None
    database: str | None = None
    upstream: str | list[str] | None = None
    host: str | None = None
    port: int | None = None
    prefix: str | None = None
    public_url: str | None = None
    trusted_proxies: str | list[str] | None = None
    workers: int | None = None
    metrics: str | int | None = None


def read_settings_file(path: Path) -> dict[str, Any]:
    """What a file says, by name; ``data`` is meant from the file's own folder.

    Raises ValueError, in words and without a value that may be a secret, for what is no setting.
    """
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ValueError(
            f"The settings file {path} cannot be read ({error.strerror}). Is --config, or "
            "SWSLLM_CONFIG, the right path?"
        ) from None
    except ValueError as error:
        # Also a UnicodeDecodeError, whose own words show what it read.
        where = error if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"
        raise ValueError(f"The settings file {path} is not TOML: {where}.") from None
    for name in told:
        _check_name(name, path)
    try:
        said = msgspec.convert(told, _Said)
    except msgspec.ValidationError as error:
        reason = str(error).replace("`", "'").replace("$.", "")
        raise ValueError(f"In the settings file {path}: {reason}.") from None
    _check_database(said.database, path)
    given = {
        name: value for name, value in msgspec.structs.asdict(said).items() if value is not None
    }
    if said.data is not None:
        given["data"] = str(path.parent / Path(said.data).expanduser())
    return given


def _check_name(name: str, path: Path) -> None:
    known = _Said.__struct_fields__
    if name in known:
        return
    if name.startswith(("secret", "upstream_key")):
        variable = f"SWSLLM_{name.upper()}"
        raise ValueError(
            f"'{name}' does not belong into the settings file {path}, which others may read. Set "
            f"{variable} in the environment, or name a file in {variable}_FILE."
        )
    nearest = get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.5)
    meant = f"is '{nearest[0]}' meant?" if nearest else f"there are {', '.join(known)}."
    raise ValueError(f"The settings file {path} has no setting '{name}': {meant}")


def _check_database(url: str | None, path: Path) -> None:
    try:
        parts = urlsplit(url or "")
        secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        return  # whoever opens it says what is wrong with it
    if secret:
        raise ValueError(
            f"The password of 'database' does not belong into the settings file {path}. Leave it "
            "out there, and set PGPASSWORD, or PGPASSFILE with the path of a password file."
        )
