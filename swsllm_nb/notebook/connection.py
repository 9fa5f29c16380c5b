"""Where calls go and which key pays for them: both from one source, never mixed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from swsllm_nb.notebook.errors import NotConnected

__all__ = ["Connection", "find_connection", "nearest_env_file"]

_PAIRS: Final = (
    ("SWSLLM_BASE_URL", "SWSLLM_API_KEY"),
    ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
)

_IN_CODE: Final = "given in code"
_ENV: Final = "the environment"

_WHAT_TO_PASTE: Final = (
    "Put these two lines into a file named .env beside the notebook, with what your course page "
    "shows, then run the cell again:\n"
    "SWSLLM_BASE_URL=https://…\n"
    "SWSLLM_API_KEY=…"
)


@dataclass(frozen=True)
class Connection:
    """``source`` says where both were found, in words for the status line."""

    base_url: str
    key: str = field(repr=False)
    source: str

    @property
    def shown_key(self) -> str:
        """The beginning of the key, by which its owner knows it again."""
        return f"{self.key[: min(6, len(self.key) // 3)]}…"


@dataclass(frozen=True)
class _Source:
    """What one place gives; each name says where, such as ``SWSLLM_API_KEY in the environment``."""

    url_name: str
    key_name: str
    base_url: str
    key: str = field(repr=False)


def find_connection(
    base_url: str | None = None,
    api_key: str | None = None,
    *,
    environ: Mapping[str, str],
    start_folder: Path,
) -> Connection:
    """The first source that has both: the arguments, the environment, the nearest ``.env``.

    A base URL given here may be joined by a key that stands alone in its source. There is no
    default host, so that no course key is ever sent to OpenAI. Raises NotConnected.
    """
    if base_url and api_key:
        return _checked(_Source(_IN_CODE, _IN_CODE, base_url, api_key), _IN_CODE)
    lonely: list[_Source] = []
    for source in _sources(environ, start_folder):
        if api_key:
            break
        if source.key and base_url and source.base_url in ("", _tidy(base_url)):
            joined = replace(source, url_name=_IN_CODE, base_url=base_url)
            return _checked(joined, f"address given in code, key from {source.key_name}")
        if source.key and source.base_url and not base_url:
            return _checked(source, source.key_name)
        lonely.append(source)
    raise NotConnected(f"{_what_is_missing(base_url, api_key, lonely)} {_WHAT_TO_PASTE}")


def _sources(environ: Mapping[str, str], start_folder: Path) -> Iterator[_Source]:
    yield from _pairs(environ, _ENV)
    path = nearest_env_file(start_folder)
    if path:
        yield from _pairs(_read_env_file(path), str(path))


def _pairs(values: Mapping[str, str], place: str) -> Iterator[_Source]:
    for url_name, key_name in _PAIRS:
        base_url, key = values.get(url_name, ""), values.get(key_name, "")
        if base_url.strip() or key.strip():
            names = (f"{url_name} in {place}", f"{key_name} in {place}")
            yield _Source(*names, _tidy(base_url), key.strip())


def nearest_env_file(start_folder: Path) -> Path | None:
    """The ``.env`` that is read: in this folder, or in the nearest one above it."""
    start = start_folder.absolute()
    candidates = (folder / ".env" for folder in (start, *start.parents))
    return next((path for path in candidates if path.is_file()), None)


def _read_env_file(path: Path) -> Mapping[str, str]:
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise NotConnected(f"{path} cannot be read as text. {_WHAT_TO_PASTE}") from None
    return {name: value for name, value in values.items() if value}


def _tidy(base_url: str) -> str:
    """The base of an address, also where the whole address of the chat completions was pasted."""
    return base_url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")


def _checked(source: _Source, shown_source: str) -> Connection:
    address, key = _tidy(source.base_url), source.key.strip()
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or "@" in parts.netloc or not address.isprintable() or " " in address:
        # Not quoted: who mixes the two lines up has put the key here.
        raise NotConnected(
            f"The base URL ({source.url_name}) is no address: it begins with http:// or "
            f"https://. {_where_to_correct(source.url_name)}"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise NotConnected(
            f"The key ({source.key_name}) holds characters that no key has, such as a space or "
            f"“…”. {_where_to_correct(source.key_name)}"
        )
    return Connection(address, key, shown_source)


def _where_to_correct(name: str) -> str:
    goes_first = "; the environment goes before every .env file" if name.endswith(_ENV) else ""
    return f"Correct it there, then run the cell again{goes_first}."


def _what_is_missing(base_url: str | None, api_key: str | None, lonely: list[_Source]) -> str:
    if api_key:
        return "A key was given in code, but no base URL: they come from one place."
    if base_url:
        return "A base URL was given in code, but there is no key that belongs to it."
    keys = [source.key_name for source in lonely if source.key]
    addresses = [source.url_name for source in lonely if source.base_url]
    if keys and addresses:
        return (
            f"There is a key ({keys[0]}) and a base URL ({addresses[0]}), but not in one place, so "
            "they may not belong together."
        )
    if keys:
        return f"There is a key ({keys[0]}), but no base URL beside it."
    if addresses:
        return f"There is a base URL ({addresses[0]}), but no key beside it."
    return "There is no key and no base URL yet."
