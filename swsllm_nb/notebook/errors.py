"""Every mistake a student can meet, each as one sentence: what happened, the number, what now.

LLMError              a cell, ask() or client() that failed
├─ NotConnected       there is no key or no address; nothing was sent
└─ CallFailed         the server refused, or the call broke; ``partial`` is what had come

Interrupted           the stop button: a KeyboardInterrupt, so that no ``except Exception``
                      in a loop of calls swallows it
"""

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.notebook.keys import looks_like_key, scrub
from swsllm_nb.notebook.language import say, speaks_german
from swsllm_nb.notebook.proxy_sentences import known_sentence
from swsllm_nb.notebook.sentences import SENTENCES, Sentence
from swsllm_nb.wire import INSUFFICIENT_QUOTA, RATE_LIMIT_EXCEEDED

if TYPE_CHECKING:
    from swsllm_nb.notebook.answer import Answer

__all__ = [
    "HERE",
    "OTHER_HOST",
    "CallFailed",
    "Interrupted",
    "LLMError",
    "NotConnected",
    "Retry",
    "Trouble",
    "explain",
    "looks_like_key",
    "scrub",
    "stopped",
]

_MESSAGE_CHARACTERS: Final = 600


def stopped() -> str:
    """What the stop button means while a call runs."""
    return say(
        "Stopped. Stopping does not stop the cost: the model may have gone on, and what it wrote "
        "is paid for; %llm shows what is left.",
        "Angehalten. Anhalten hält die Kosten nicht an: Das Modell kann weitergeschrieben haben, "
        "und was es schrieb, ist bezahlt; %llm zeigt, was übrig ist.",
    )


class _OneLine:
    """IPython shows this instead of a traceback. The cell still fails, so Run All stops."""

    def _render_traceback_(self) -> list[str]:
        from swsllm_nb.notebook.places import place_in_cell

        place = place_in_cell(getattr(self, "__traceback__", None))
        return [f"{type(self).__name__}{f' ({place})' if place else ''}: {self}"]


class LLMError(_OneLine, Exception):
    """What went wrong, as a sentence for students."""


class NotConnected(LLMError):
    """No key, no base URL, or one that cannot be one."""


@dataclass(frozen=True)
class Retry:
    """Another try may succeed. ``why`` is shown while it is waited for; ``after_seconds`` is the
    server's wish, None where it has none."""

    why: str
    after_seconds: float | None = None


class CallFailed(LLMError):
    """A call that the server refused or that broke. ``code`` is the server's, or one of ours.

    ``retry`` is None where another try cannot succeed, or could cost a second time.
    """

    def __init__(self, sentence: str, code: str = "", *, retry: Retry | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.retry = retry
        self.partial: Answer | None = None


class Interrupted(_OneLine, KeyboardInterrupt):
    """The call was stopped by hand. ``partial`` is what had come, where anything had."""

    def __init__(self, partial: "Answer | None" = None, sentence: str = "") -> None:
        super().__init__(sentence or stopped())
        self.partial = partial


@dataclass(frozen=True)
class Trouble:
    """What is known about a failed call. ``code`` is the server's, or a key of ``SENTENCES``.

    ``waited_seconds`` is how long an answer was waited for, ``retry_after_seconds`` what the
    server asks for; ``may_retry`` is False where the server says that no other try can succeed.
    """

    code: str = ""
    status: int | None = None
    message: str = ""
    base_url: str = ""
    model: str = ""
    waited_seconds: float | None = None
    retry_after_seconds: float | None = None
    may_retry: bool = True


OTHER_HOST: Final = "other_host"
"""A key was about to leave for a host that is not its own."""

HERE: Final = "here"
"""Something on this machine failed, and no server said it."""

_SPEAKS_FOR_ITSELF: Final = (OTHER_HOST, "upstream_failed", "proxy_failed")
"""What is said with these codes, our proxy's and one of ours, says what to do as well."""

_USUAL_PAUSE_SECONDS: Final = 10


def explain(trouble: Trouble, key: str = "") -> CallFailed:
    """The one sentence for what happened, without anything that looks like a key."""
    message = _short(scrub(trouble.message, key))
    trouble = replace(
        trouble,
        message=message,
        base_url=scrub(trouble.base_url, key),
        model=scrub(trouble.model, key),
    )
    kind = _kind(trouble)
    sentence = SENTENCES[kind]
    text = _alone(trouble, kind) or _filled_in(say(sentence.english, sentence.german), trouble)
    code = trouble.code or str(trouble.status or "")
    return CallFailed(text, code, retry=_retry(trouble, kind, sentence))


def _alone(trouble: Trouble, kind: str) -> str:
    """The server's own sentence, where it says all that there is to say; else nothing."""
    if kind == "wrong_key" or not trouble.message or trouble.code in SENTENCES:
        return ""
    known = known_sentence(trouble.message)
    if known and known.stands_alone:
        return say(trouble.message, known.german)
    return trouble.message if trouble.code in _SPEAKS_FOR_ITSELF else ""


def _filled_in(template: str, trouble: Trouble) -> str:
    catalogue = default_catalogue()
    return template.format(
        base_url=trouble.base_url or say("the server", "der Adresse"),
        status=trouble.status or say("no status", "kein Status"),
        model=repr(trouble.model),
        models=", ".join((model.aliases or (model.id,))[0] for model in catalogue.models),
        message=_said(trouble.message),
        reason=trouble.message.rstrip("."),
        seconds=_within(trouble.waited_seconds),
        pause=_pause(trouble.retry_after_seconds),
    )


def _said(message: str) -> str:
    if not message:
        return ""
    known = known_sentence(message) if speaks_german() else None
    return say(
        f" The server says: {message}", f" Der Server sagt: {known.german if known else message}"
    )


def _within(seconds: float | None) -> str:
    return "" if seconds is None else say(f" ({seconds:g} s)", f" ({seconds:g} s)")


def _pause(asked_seconds: float | None) -> str:
    seconds = math.ceil(_USUAL_PAUSE_SECONDS if asked_seconds is None else asked_seconds)
    return say(f"{seconds} seconds", f"{seconds} Sekunden")


def _retry(trouble: Trouble, kind: str, sentence: Sentence) -> Retry | None:
    """A fault that the server does not explain may have happened after the model was paid."""
    unexplained = kind == "broken" and not trouble.code
    if sentence.final or sentence.waiting is None or not trouble.may_retry or unexplained:
        return None
    return Retry(_filled_in(say(*sentence.waiting), trouble), trouble.retry_after_seconds)


def _kind(trouble: Trouble) -> str:
    """The first rule that fits: our own code, the server's code, then the status."""
    code, status = trouble.code, trouble.status
    if code in SENTENCES:
        return code
    if code == INSUFFICIENT_QUOTA:
        return "no_money"
    if status is None:
        return "stopped_midway" if code else "other"
    if code == "context_length_exceeded":
        return "too_long"
    if code == RATE_LIMIT_EXCEEDED:
        return "too_fast"
    if status == 404:
        return "no_model" if _is_about_model(trouble) else "no_page"
    by_status = {401: "wrong_key", 402: "no_money", 403: "not_allowed"}
    by_status |= {429: "too_fast", 503: "overloaded"}
    if status in by_status:
        return by_status[status]
    if status >= 500:
        return "broken"
    return "refused" if trouble.message else "refused_unsaid"


def _is_about_model(trouble: Trouble) -> bool:
    """Other servers have codes of their own for it, or none; a path may hold ``/models``."""
    if trouble.code in ("model_not_found", "unknown_url"):
        return trouble.code == "model_not_found"
    return re.search(r"(?<![/\w])model\b", trouble.message, re.IGNORECASE) is not None


def _short(message: str) -> str:
    """One line, ended by a full stop; nothing where the message is a page of HTML.

    Nothing in it steers a terminal.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    if not line or line.startswith("<"):
        return ""
    if len(line) > _MESSAGE_CHARACTERS:
        line = line[:_MESSAGE_CHARACTERS].rstrip() + " …"
    return line if line[-1] in ".!?…" else line + "."
