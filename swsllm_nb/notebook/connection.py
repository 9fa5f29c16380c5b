"""Where calls go and which key pays for them: both from one source, never mixed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from swsllm_nb.notebook.envfile import nearest_env_file, read_env_file, what_to_paste
from swsllm_nb.notebook.errors import NotConnected
from swsllm_nb.notebook.keys import hides_key, looks_like_key
from swsllm_nb.notebook.language import say

__all__ = ["Connection", "find_connection", "is_address"]

_PAIRS: Final = (
    ("SWSLLM_BASE_URL", "SWSLLM_API_KEY"),
    ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
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
    _check_texts(base_url, api_key)
    in_code = say("given in code", "im Code angegeben")
    if base_url and api_key:
        return _checked(_Source(in_code, in_code, base_url, api_key), in_code)
    lonely: list[_Source] = []
    for source in _sources(environ, start_folder):
        if api_key:
            break
        if source.key and base_url and source.base_url in ("", _tidy(base_url)):
            joined = replace(source, url_name=in_code, base_url=base_url)
            return _checked(joined, _joined_source(source.key_name))
        if source.key and source.base_url and not base_url:
            return _checked(source, source.key_name)
        lonely.append(source)
    raise NotConnected(f"{_what_is_missing(base_url, api_key, lonely)} {what_to_paste()}")


def _sources(environ: Mapping[str, str], start_folder: Path) -> Iterator[_Source]:
    yield from _pairs(environ, _environment())
    path = nearest_env_file(start_folder)
    if path:
        yield from _pairs(read_env_file(path), str(path))


def _pairs(values: Mapping[str, str], place: str) -> Iterator[_Source]:
    for url_name, key_name in _PAIRS:
        base_url, key = values.get(url_name, ""), values.get(key_name, "")
        if base_url.strip() or key.strip():
            names = (f"{url_name} in {place}", f"{key_name} in {place}")
            yield _Source(*names, _tidy(base_url), key.strip())


def _tidy(base_url: str) -> str:
    """The base of an address, also where the whole address of the chat completions was pasted."""
    return base_url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")


def _check_texts(base_url: str | None, api_key: str | None) -> None:
    """A value of another kind would fail later, and its traceback might show the key."""
    for name, given in (("base_url", base_url), ("api_key", api_key)):
        if given is not None and not isinstance(given, str):
            kind = type(given).__name__
            raise NotConnected(
                say(
                    f"{name} is to be a text, and what was given is of the type {kind}.",
                    f"{name} ist ein Text, und angegeben ist etwas vom Typ {kind}.",
                )
            )


def _checked(source: _Source, shown_source: str) -> Connection:
    address, key = _tidy(source.base_url), source.key.strip()
    if not is_address(address) or looks_like_key(address) or hides_key(address, key):
        # Not quoted: who mixes the two lines up has put the key here.
        raise NotConnected(
            say(
                f"The base URL ({source.url_name}) is no address: it begins with http:// or "
                "https://, and holds no key.",
                f"Die Basis-URL ({source.url_name}) ist keine Adresse: Sie beginnt mit http:// "
                "oder https:// und enthält keinen Schlüssel.",
            )
            + f" {_where_to_correct(source.url_name)}"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise NotConnected(
            say(
                f"The key ({source.key_name}) holds characters that no key has, such as a space "
                "or “…”.",
                f"Der Schlüssel ({source.key_name}) enthält Zeichen, die kein Schlüssel hat, etwa "
                "ein Leerzeichen oder „…“.",
            )
            + f" {_where_to_correct(source.key_name)}"
        )
    return Connection(address, key, shown_source)


def is_address(address: str) -> bool:
    """Whether calls can go there: http or https, a host, and no name or key in it."""
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return fits and "@" not in parts.netloc and address.isprintable() and " " not in address


def _joined_source(key_name: str) -> str:
    return say(
        f"address given in code, key from {key_name}",
        f"Adresse im Code angegeben, Schlüssel aus {key_name}",
    )


def _environment() -> str:
    return say("the environment", "der Umgebung")


def _where_to_correct(name: str) -> str:
    here = say(
        "Correct it there, then run the cell again",
        "Bitte dort berichtigen, dann die Zelle noch einmal ausführen",
    )
    goes_first = say(
        "; the environment goes before every .env file",
        "; die Umgebung geht jeder .env-Datei vor",
    )
    return f"{here}{goes_first if name.endswith(_environment()) else ''}."


def _what_is_missing(base_url: str | None, api_key: str | None, lonely: list[_Source]) -> str:
    if api_key:
        return say(
            "A key was given in code, but no base URL: they come from one place.",
            "Im Code ist ein Schlüssel angegeben, aber keine Basis-URL: Beide kommen von einem "
            "Ort.",
        )
    if base_url:
        return say(
            "A base URL was given, in code or by %llm set, but there is no key that belongs to it; "
            "%llm set base-url= takes it back.",
            "Eine Basis-URL ist angegeben, im Code oder mit %llm set, aber es gibt keinen "
            "Schlüssel dazu; %llm set base-url= nimmt sie zurück.",
        )
    keys = [source.key_name for source in lonely if source.key]
    addresses = [source.url_name for source in lonely if source.base_url]
    if keys and addresses:
        return say(
            f"There is a key ({keys[0]}) and a base URL ({addresses[0]}), but not in one place, so "
            "they may not belong together.",
            f"Es gibt einen Schlüssel ({keys[0]}) und eine Basis-URL ({addresses[0]}), aber nicht "
            "an einem Ort; vielleicht gehören sie nicht zusammen.",
        )
    if keys:
        return say(
            f"There is a key ({keys[0]}), but no base URL beside it.",
            f"Es gibt einen Schlüssel ({keys[0]}), aber keine Basis-URL daneben.",
        )
    if addresses:
        return say(
            f"There is a base URL ({addresses[0]}), but no key beside it.",
            f"Es gibt eine Basis-URL ({addresses[0]}), aber keinen Schlüssel daneben.",
        )
    return say(
        "There is no key and no base URL yet.",
        "Es gibt noch keinen Schlüssel und keine Basis-URL.",
    )
