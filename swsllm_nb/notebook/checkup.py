"""What a doctor looks at: one finding for each thing that a course's notebook needs."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from swsllm_nb.notebook.calls import log_path
from swsllm_nb.notebook.course import Course
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.envfile import nearest_env_file
from swsllm_nb.notebook.errors import LLMError, NotConnected
from swsllm_nb.notebook.git import is_ignored, is_in_work_tree, is_tracked
from swsllm_nb.notebook.language import grouped, say
from swsllm_nb.notebook.logfile import FILE_ERRORS, LogFile
from swsllm_nb.notebook.login import ignore_in_git
from swsllm_nb.notebook.offers import Offer, offers_of
from swsllm_nb.notebook.question import default_model
from swsllm_nb.notebook.rows import COLUMNS
from swsllm_nb.notebook.spend import money_of_account, money_of_log

__all__ = ["Finding", "examine"]

_PACKAGES: Final = ("swsllm-nb", "openai", "ipython", "ipywidgets")
_CLOCK_SECONDS: Final = 60.0
_SLOW_SECONDS: Final = 2.0
_OWNER_ALONE: Final = 0o600
_OTHERS: Final = 0o077
_FIX: Final = "%llm doctor --fix"


@dataclass(frozen=True)
class Finding:
    """What was found of one thing, whether it is well, and what to do where it is not."""

    name: str
    is_well: bool
    said: str
    advice: str = ""


def examine(desk: Desk, *, fix: bool) -> Iterator[Finding]:
    """Every finding; ``fix`` mends what can be mended without asking. Raises nothing."""
    yield _versions(desk.namespace)
    path = nearest_env_file(Path.cwd())
    if path:
        yield from _guarded(".env", lambda: _env_file(path, fix))
    try:
        course = desk.course()
    except NotConnected as missing:
        advice = say("%llm login asks for both.", "%llm login fragt nach beidem.")
        yield Finding(say("key", "Schlüssel"), False, str(missing).partition("\n")[0], advice)
        return
    connection = course.connection
    yield Finding(say("key", "Schlüssel"), True, f"{connection.shown_key} ({connection.source})")
    yield from _guarded("proxy", lambda: _proxy(course))
    yield from _guarded(say("account", "Konto"), lambda: [_account(desk, course)])
    yield from _guarded(say("model", "Modell"), lambda: _models(desk, course))
    yield from _guarded("log", lambda: [_log(course)])


def _guarded(name: str, look: Any) -> Iterator[Finding]:
    """A check that breaks is a finding too."""
    try:
        yield from look()
    except LLMError as error:
        yield Finding(name, False, str(error))
    except Exception as error:
        could_not = say("could not be looked at", "ließ sich nicht ansehen")
        yield Finding(name, False, f"{could_not} ({type(error).__name__})")


def _versions(namespace: Mapping[str, Any]) -> Finding:
    found = {name: _version(name) for name in _PACKAGES}
    python = ".".join(map(str, sys.version_info[:3]))
    versions = ", ".join(f"{name} {number or '–'}" for name, number in found.items())
    missing = [name for name, number in found.items() if number is None]
    names = " ".join(missing)
    advice = say(
        f"Install it: %pip install {names}, then restart the kernel.",
        f"Installieren: %pip install {names}, dann den Kernel neu starten.",
    )
    said = f"Python {python}, {versions}, {_front_end(namespace)}"
    return Finding(say("versions", "Versionen"), not missing, said, advice if missing else "")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _front_end(namespace: Mapping[str, Any]) -> str:
    if "__vsc_ipynb_file__" in namespace:
        return "VS Code"
    if "google.colab" in sys.modules:
        return "Colab"
    if os.environ.get("JPY_SESSION_NAME"):
        return "Jupyter"
    if "ipykernel.kernelapp" in sys.modules:
        return say("a kernel", "ein Kernel")
    return say("a terminal or script", "Terminal oder Skript")


def _env_file(path: Path, fix: bool) -> Iterator[Finding]:
    yield _readers(path, fix)
    yield _repository(path, fix)


def _readers(path: Path, fix: bool) -> Finding:
    # Elsewhere the system has no such bits.
    if os.name != "posix" or not path.stat().st_mode & _OTHERS:
        said = say("only you can read it", "nur für dich lesbar")
        return Finding(".env", True, f"{path}: {said}")
    if fix:
        path.chmod(_OWNER_ALONE)
        said = say("from now on only you can read it", "ab jetzt nur für dich lesbar")
        return Finding(".env", True, f"{path}: {said}")
    said = say("others on this machine can read it", "andere auf diesem Rechner können es lesen")
    return Finding(".env", False, f"{path}: {said}", _FIX)


def _repository(path: Path, fix: bool) -> Finding:
    if is_tracked(path):
        return Finding(
            "git",
            False,
            say(".env is part of the repository", ".env gehört zum Repository"),
            say(
                "git rm --cached .env, commit, and have the key replaced on the course page.",
                "git rm --cached .env, committen, und den Schlüssel auf der Kursseite ersetzen.",
            ),
        )
    if not is_in_work_tree(path):
        return Finding("git", True, say("no repository here", "hier ist kein Repository"))
    ignored = is_ignored(path)
    if ignored is None:
        return Finding("git", True, say("git cannot be asked", "git lässt sich nicht fragen"))
    if not ignored and not (fix and ignore_in_git(path)):
        said = say(".env would be committed with the rest", ".env würde mit committet")
        return Finding("git", False, said, _FIX)
    return Finding("git", True, say(".env is ignored", ".env wird ignoriert"))


def _proxy(course: Course) -> Iterator[Finding]:
    where = course.connection.base_url
    pulse = course.pulse()
    took = say(f"answers after {pulse.seconds:.2f} s", f"antwortet nach {pulse.seconds:.2f} s")
    slow = say(
        "That is slow: the network or the server is busy.",
        "Das ist langsam: Netz oder Server sind ausgelastet.",
    )
    advice = slow if pulse.seconds > _SLOW_SECONDS else ""
    yield Finding("proxy", True, f"{where} {took}", advice)
    if pulse.server_time is None:
        return
    clock = say("clock", "Uhr")
    off_seconds = abs((datetime.now(UTC) - pulse.server_time).total_seconds())
    if off_seconds <= _CLOCK_SECONDS:
        agrees = say("agrees with the server's", "geht wie die des Servers")
        yield Finding(clock, True, agrees)
        return
    differs = say(
        f"{off_seconds:,.0f} s beside the server's", f"{off_seconds:,.0f} s neben der des Servers"
    )
    advice = say("Set this machine's clock.", "Stell die Uhr dieses Rechners.")
    yield Finding(clock, False, differs, advice)


def _account(desk: Desk, course: Course) -> Finding:
    name = say("account", "Konto")
    account = course.account()
    if account is None:
        said = money_of_log(course, desk.budget_pico)
        advice = say("%llm budget 5.00 types it in.", "%llm budget 5.00 tippt es ein.")
        return Finding(name, True, said, advice if desk.budget_pico is None else "")
    said = f"{account.name}: {money_of_account(account)}"
    ask_staff = say("Ask the teaching staff.", "Frag die Lehrenden.")
    if account.valid_until:
        until = account.valid_until[:10]
        said += say(f", valid until {until}", f", gültig bis {until}")
        if datetime.fromisoformat(account.valid_until) <= datetime.now(UTC):
            return Finding(name, False, said, ask_staff)
    well = account.remaining_pico > 0
    return Finding(name, well, said, "" if well else ask_staff)


def _models(desk: Desk, course: Course) -> Iterator[Finding]:
    offers, _ = offers_of(course)
    today = datetime.now(UTC).date()
    label = say("model", "Modell")
    choose = say("%llm models shows the others.", "%llm models zeigt die anderen.")
    for name in desk.settings.models or (default_model(),):
        offer = next((each for each in offers if name in each.names), None)
        if offer is None:
            missing = say("is not on the server's list", "steht nicht auf der Liste des Servers")
            yield Finding(label, False, f"{name} {missing}", choose)
            continue
        gone = offer.is_gone(today)
        yield Finding(label, not gone, f"{name} {_until(offer)}", choose if gone else "")


def _until(offer: Offer) -> str:
    day = offer.shutdown_date
    if day is None:
        return say("has no known end", "hat kein bekanntes Ende")
    return say(f"is there until {day}", f"gibt es bis {day}")


def _log(course: Course) -> Finding:
    path = log_path(course.connection)
    try:
        LogFile(path, COLUMNS).write([])
    except FILE_ERRORS as error:
        lasts = say(
            "Calls work all the same; their log lasts until the kernel stops.",
            "Aufrufe gehen trotzdem; ihr Protokoll hält, bis der Kernel endet.",
        )
        return Finding("log", False, f"{path}: {error}", lasts)
    count = len(course.log())
    return Finding(
        "log", True, say(f"calls: {grouped(count)}, {path}", f"Aufrufe: {grouped(count)}, {path}")
    )
