"""Every mistake a student can meet, each as one sentence: what happened, the number, what now.

LLMError              a cell, ask() or client() that failed
├─ NotConnected       there is no key or no address; nothing was sent
└─ CallFailed         the server refused, or the call broke; ``partial`` is what had come

Interrupted           the stop button: a KeyboardInterrupt, so that no ``except Exception``
                      in a loop of calls swallows it
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.wire import INSUFFICIENT_QUOTA, RATE_LIMIT_EXCEEDED

if TYPE_CHECKING:
    from swsllm_nb.notebook.answer import Answer

__all__ = [
    "STOPPED",
    "CallFailed",
    "Interrupted",
    "LLMError",
    "NotConnected",
    "Trouble",
    "explain",
    "looks_like_key",
    "scrub",
]

STOPPED: Final = (
    "Stopped. Stopping does not stop the cost: the model may have gone on, and what it wrote is "
    "paid for; %llm shows what is left."
)

# A course's own keys are sws- and 40 letters and digits: sws-llm-proxy is an address.
_KEY: Final = re.compile(
    r"\bsk-[A-Za-z0-9_*-]{6,}|\bsws-[A-Za-z0-9]{20,}|(?i:\bbearer)\s+[^\s\"',]{8,}"
)
_MESSAGE_CHARACTERS: Final = 600


class _OneLine:
    """IPython shows this instead of a traceback. The cell still fails, so Run All stops."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class LLMError(_OneLine, Exception):
    """What went wrong, as a sentence for students."""


class NotConnected(LLMError):
    """No key, no base URL, or one that cannot be one."""


class CallFailed(LLMError):
    """A call that the server refused or that broke. ``code`` is the server's, or one of ours."""

    def __init__(self, sentence: str, code: str = "", *, final: bool = True) -> None:
        super().__init__(sentence)
        self.code = code
        self.final = final
        self.partial: Answer | None = None


class Interrupted(_OneLine, KeyboardInterrupt):
    """The call was stopped by hand. ``partial`` is what had come, where anything had."""

    def __init__(self, partial: "Answer | None" = None) -> None:
        super().__init__(STOPPED)
        self.partial = partial


@dataclass(frozen=True)
class Trouble:
    """What is known about a failed call. ``code`` is the server's, or a key of ``_SENTENCES``."""

    code: str = ""
    status: int | None = None
    message: str = ""
    base_url: str = ""
    model: str = ""


@dataclass(frozen=True)
class _Sentence:
    """``final``: doing the same again cannot succeed."""

    text: str
    final: bool = False


_ASK_STAFF: Final = "ask the teaching staff"
_MAY_COST: Final = "It may have cost something all the same; %llm shows what is left."

_SENTENCES: Final[Mapping[str, _Sentence]] = {
    "no_server": _Sentence(
        "No server answers at {base_url}. Check the address and that the proxy is running, "
        "then run the cell again."
    ),
    "untrusted": _Sentence(
        "This machine does not trust the certificate of {base_url}, so nothing was sent. Check the "
        "address and this machine's clock; if both are right, " + _ASK_STAFF + ".",
        final=True,
    ),
    "no_tls": _Sentence(
        "No encrypted connection to {base_url} could be made, so nothing was sent. Check whether "
        "the address begins with http:// or with https://; if it is right, " + _ASK_STAFF + ".",
        final=True,
    ),
    "timeout": _Sentence(
        f"The server at {{base_url}} did not answer in time. Run the cell again. {_MAY_COST}"
    ),
    "cut": _Sentence(
        "The connection to {base_url} broke before the answer was complete. Run the cell again. "
        + _MAY_COST
    ),
    "unreadable": _Sentence(
        "What {base_url} answered is no chat completion. Check the base URL: the address of the "
        "API, which often ends in /v1.",
        final=True,
    ),
    "wrong_key": _Sentence(
        "The server at {base_url} does not accept your key ({status}). Copy it again from the "
        "course page into SWSLLM_API_KEY; if that does not help, " + _ASK_STAFF + ".",
        final=True,
    ),
    "no_model": _Sentence(
        "The server at {base_url} does not have the model {model} ({status}).{message} "
        "Models with a known price: {models}; choose one with -m.",
        final=True,
    ),
    "no_page": _Sentence(
        "There is no chat completion at {base_url} ({status}).{message} Check the base URL: the "
        "address of the API, which often ends in /v1.",
        final=True,
    ),
    "no_money": _Sentence("{message}", final=True),
    "too_fast": _Sentence(
        "Too many calls at once ({status}).{message} Wait ten seconds and run the cell again."
    ),
    "refused": _Sentence("The server refused the call ({status}).{message}", final=True),
    "broken": _Sentence(
        "The server had a fault of its own ({status}).{message} It is not your code: run the cell "
        "again in a minute, and if it stays, " + _ASK_STAFF + "."
    ),
    "stopped_midway": _Sentence(
        "The server broke off the answer.{message} Run the cell again. " + _MAY_COST
    ),
    "complete": _Sentence("{message}"),
    "other": _Sentence("The call failed.{message}", final=True),
}

_COMPLETE_CODES: Final = ("upstream_failed", "proxy_failed")
"""What our proxy says with these codes names the cost and what to do: nothing is added to it."""

_ALONE: Final = ("no_money", "complete")

_NO_MONEY_FALLBACK: Final = f"Your budget is used up ({{status}}); {_ASK_STAFF} for more."


def explain(trouble: Trouble, key: str = "") -> CallFailed:
    """The one sentence for what happened, without anything that looks like a key."""
    message = _short(scrub(trouble.message, key))
    kind = _kind(replace(trouble, message=message))
    sentence = _SENTENCES[kind]
    template = sentence.text
    if kind == "no_money" and not message:
        template = _NO_MONEY_FALLBACK
    text = template.format(
        base_url=scrub(trouble.base_url, key) or "the server",
        status=trouble.status or "no status",
        model=repr(scrub(trouble.model, key)),
        models=", ".join((model.aliases or (model.id,))[0] for model in default_catalogue().models),
        message=message if kind in _ALONE else message and f" It says: {message}",
    )
    return CallFailed(text, trouble.code or str(trouble.status or ""), final=sentence.final)


def looks_like_key(text: str) -> bool:
    """Whether a secret may stand in ``text``."""
    return _KEY.search(text) is not None


def scrub(text: str, key: str = "") -> str:
    """``text`` without ``key`` and without anything else that looks like one."""
    if key:
        text = text.replace(key, "(your key)")
    return _KEY.sub("(a key)", text)


def _kind(trouble: Trouble) -> str:
    """The first rule that fits: our own code, the server's code, then the status."""
    status = trouble.status
    if trouble.code in _SENTENCES:
        return trouble.code
    if trouble.code == INSUFFICIENT_QUOTA:
        return "no_money"
    if trouble.code in _COMPLETE_CODES and trouble.message:
        return "complete"
    if status is None:
        return "stopped_midway" if trouble.code else "other"
    if trouble.code == RATE_LIMIT_EXCEEDED or status == 429:
        return "too_fast"
    if status == 404:
        return "no_model" if _is_about_model(trouble) else "no_page"
    return "wrong_key" if status == 401 else "refused" if status < 500 else "broken"


def _is_about_model(trouble: Trouble) -> bool:
    """Other servers have codes of their own for it, or none; a path may hold ``/models``."""
    if trouble.code in ("model_not_found", "unknown_url"):
        return trouble.code == "model_not_found"
    return re.search(r"(?<![/\w])model\b", trouble.message, re.IGNORECASE) is not None


def _short(message: str) -> str:
    """One line, ended by a full stop; nothing where the message is a page of HTML."""
    line = " ".join(message.split())
    if not line or line.startswith("<"):
        return ""
    if len(line) > _MESSAGE_CHARACTERS:
        line = line[:_MESSAGE_CHARACTERS].rstrip() + " …"
    return line if line[-1] in ".!?…" else line + "."
