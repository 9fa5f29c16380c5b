"""Templates and static files, with the filters that templates use."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from swsllm_nb.money import show_cost, show_left, usd_text
from swsllm_nb.proxy.page.sentences import retold
from swsllm_nb.proxy.page.words import LANGUAGES, Language, parted, translate

__all__ = ["Environment", "StaticFile", "environments", "shown_day", "shown_moment", "static_files"]

_MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_TOKENS_PER_PRICE: Final = 1_000_000
_DAY: Final[dict[Language, str]] = {"de": "%d.%m.%Y", "en": "%Y-%m-%d"}


@dataclass(frozen=True)
class StaticFile:
    """A file of the page; its name in addresses changes with its content, so it may be kept."""

    name: str
    content: bytes
    media_type: str


def static_files() -> Mapping[str, StaticFile]:
    """Each by the name that it has in the package."""
    files = {}
    for file in resources.files("swsllm_nb.proxy.page").joinpath("static").iterdir():
        stem, _, ending = file.name.rpartition(".")
        content = file.read_bytes()
        name = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
        files[file.name] = StaticFile(name, content, _MEDIA_TYPES[ending])
    return files


def environments() -> Mapping[Language, Environment]:
    """One for each language: templates say ``_("English")`` and get what people read."""
    return {language: _environment(language) for language in LANGUAGES}


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("swsllm_nb.proxy.page"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        partial(translate, language=language),
        lambda one, many, n: translate(one if n == 1 else many, language),
        newstyle=True,
    )
    environment.filters |= {
        "cost": lambda pico: parted(show_cost(pico)),
        "left": lambda pico, of_pico=None: parted(show_left(pico, of_pico)),
        "per_million": lambda pico_per_token: usd_text(pico_per_token * _TOKENS_PER_PRICE),
        "usd": _shown_exactly,
        "number": parted,
        "told": partial(retold, language=language),
        "moment": partial(shown_moment, language=language),
        "day": partial(shown_day, language=language),
    }
    environment.globals["zone"] = _zone_name
    return environment


def _shown_exactly(pico: int) -> str:
    return parted(f"{'-' if pico < 0 else ''}${usd_text(abs(pico))}")


def shown_moment(at: str | None, *, language: Language) -> str:
    """A moment of the ledger in this machine's own time, to the minute."""
    if at is None:
        return ""
    moment = datetime.fromisoformat(at).astimezone()
    return f"{moment:{_DAY[language]} %H:%M}"


def shown_day(day: str | date | None, *, language: Language) -> str:
    if day is None:
        return ""
    return f"{date.fromisoformat(day) if isinstance(day, str) else day:{_DAY[language]}}"


def _zone_name() -> str:
    """The zone that moments are shown in, such as CET."""
    return datetime.now(UTC).astimezone().tzname() or "UTC"
