"""``%llm login``: asks for address and key, tries them, and writes them down."""

import sys
from collections.abc import Sequence
from pathlib import Path

from swsllm_nb.notebook.commands.line import ask_back, ask_secret, taken
from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.course import Course, connect
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.envfile import ENV, nearest_env_file, what_to_paste
from swsllm_nb.notebook.errors import CallFailed, LLMError, NotConnected, looks_like_key
from swsllm_nb.notebook.git import is_ignored
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.login import write_env
from swsllm_nb.notebook.spend import money_of_account

__all__ = ["log_in"]


def log_in(desk: Desk, words: Sequence[str]) -> None:
    """Asks for the address and the key, tries them, and writes .env for you alone."""
    given = taken("login", words, rest=("BASE_URL",))
    base_url = _address(desk, given.rest)
    key = ask_secret(say("Key (it stays hidden): ", "Schlüssel (unsichtbar): "), _otherwise())
    if not key:
        raise LLMError(
            say(
                "No key was given, so nothing was written.",
                "Es wurde kein Schlüssel eingegeben, also nichts geschrieben.",
            )
        )
    course = desk.course_of(connect(base_url, key))
    try:
        what_it_can = _tried(course)
    except CallFailed as failure:
        nothing = say("Nothing was written.", "Es wurde nichts geschrieben.")
        raise LLMError(f"{failure} {nothing}") from None
    finally:
        course.close()
    written = _written(course.connection)
    sys.stdout.write(f"{what_it_can}\n{written}\n")
    desk.forget_given()
    _tell_what_goes_before(desk, course.connection)


def _address(desk: Desk, told: Sequence[str]) -> str:
    if told:
        base_url = told[0]
    else:
        base_url = _known_address(desk) or ask_back(
            say("Address of the course's proxy: ", "Adresse des Kurs-Proxys: "), _otherwise()
        )
    if looks_like_key(base_url):
        raise LLMError(
            say(
                "That looked like a key, and the address was asked for. It can be seen in this "
                "cell's output now: clear the output, and if others may have seen it, have the key "
                "replaced on the course page. Nothing was written.",
                "Das sah wie ein Schlüssel aus, gefragt war die Adresse. Er steht jetzt in der "
                "Ausgabe dieser Zelle: Lösche sie, und wenn andere ihn gesehen haben können, lass "
                "ihn auf der Kursseite ersetzen. Es wurde nichts geschrieben.",
            )
        )
    if not base_url.lower().startswith(("http://", "https://")):
        raise LLMError(
            say(
                "The address of the proxy begins with http:// or https://, such as %llm login "
                "https://service.example.org/sws-llm-proxy; nothing was written.",
                "Die Adresse des Proxys beginnt mit http:// oder https://, etwa %llm login "
                "https://service.example.org/sws-llm-proxy; es wurde nichts geschrieben.",
            )
        )
    return base_url


def _known_address(desk: Desk) -> str | None:
    try:
        return desk.course().connection.base_url
    except NotConnected:
        return desk.base_url


def _tried(course: Course) -> str:
    """What the server says of the key. Raises CallFailed."""
    account = course.account()
    shown = course.connection.shown_key
    if account:
        money = money_of_account(account)
        return say(
            f"The key {shown} works: account {account.name}, {money}.",
            f"Der Schlüssel {shown} passt: Konto {account.name}, {money}.",
        )
    models = course.models()
    if models is None:
        return say(
            f"The server answers, but does not tell whether it takes the key {shown}: the first "
            "question will show.",
            f"Der Server antwortet, sagt aber nicht, ob er den Schlüssel {shown} nimmt: Das zeigt "
            "die erste Frage.",
        )
    count = len(models)
    return say(
        f"The server lists {count:,} models to the key {shown} and tells no budget: %llm budget "
        "5.00 types one in.",
        f"Der Server zählt dem Schlüssel {shown} {count:,} Modelle auf und nennt kein Budget: "
        "%llm budget 5.00 tippt eins ein.",
    )


def _written(connection: Connection) -> str:
    here = Path.cwd()
    nearest = nearest_env_file(here) or here / ENV
    path = write_env(nearest.parent, connection.base_url, connection.key)
    ignored = say(" and git ignores", " und von git ignoriert") if is_ignored(path) else ""
    return say(
        f"Written: {path}, which only you can read{ignored}.",
        f"Geschrieben: {path}, nur für dich lesbar{ignored}.",
    )


def _tell_what_goes_before(desk: Desk, connection: Connection) -> None:
    """The environment goes before every ``.env``."""
    used = desk.course().connection
    if (used.base_url, used.key) != (connection.base_url, connection.key):
        sys.stdout.write(
            say(
                f"But {used.source} goes before it and is still used: take it away there and "
                "restart the kernel.\n",
                f"Aber {used.source} geht vor und gilt weiter: Nimm es dort weg und starte den "
                "Kernel neu.\n",
            )
        )


def _otherwise() -> str:
    return say("Nothing can be typed in here.", "Hier lässt sich nichts eingeben.") + (
        f" {what_to_paste()}"
    )
