"""What an upstream's error means to the client, and whether it can have been billed."""

import json
import math
import re
from typing import Any

from swsllm_nb.proxy.errors import (
    ProxyError,
    ProxyNotAdmitted,
    UpstreamBusy,
    UpstreamFailure,
    UpstreamRefusal,
    UpstreamUnknown,
)
from swsllm_nb.wire import INSUFFICIENT_QUOTA

__all__ = ["is_out_of_quota", "may_have_billed", "refusal_of"]

_RETRY_AFTER_SECONDS = 10
_LONGEST_RETRY_AFTER_SECONDS = 60
"""Longer than this nobody waits in front of a notebook, and the openai library not at all."""

_UNCLEAR = frozenset({408, 499})
_PASSED_ON = frozenset({400, 404, 409, 413, 422})
"""What the openai library has a class for, or says something to a caller; the rest is a 400."""

_OURS_TO_ACT_ON = frozenset({401, 402, 403})
_SECRETS = re.compile(r"\b(sk|org|proj|sess)[-_][\w*.-]+")


def may_have_billed(status: int, body: bytes) -> bool:
    """A 4xx (but 408 and 499) and a 5xx with the upstream's own JSON error were not billed."""
    if 400 <= status < 500:
        return status in _UNCLEAR
    return status < 400 or not _stated_error(body)


def is_out_of_quota(body: bytes) -> bool:
    """Whether the upstream says that the proxy's own money or quota there is used up."""
    stated = _stated_error(body)
    return INSUFFICIENT_QUOTA in (stated.get("type"), stated.get("code"))


def refusal_of(status: int, body: bytes, retry_after_seconds: float | None = None) -> ProxyError:
    """The error to answer with: an UpstreamUnknown where the call may have been billed."""
    stated = _stated_error(body)
    if may_have_billed(status, body):
        return UpstreamUnknown(
            f"The model's server answered {status} and did not say whether it billed the call, so "
            "its upper bound is charged as unconfirmed; ask the teaching staff for it back."
        )
    if status in _OURS_TO_ACT_ON or is_out_of_quota(body):
        return ProxyNotAdmitted(
            f"The model's server refused the proxy itself ({status}). Nothing was charged and "
            "your key is fine; please tell the teaching staff."
        )
    if status == 429:
        asked = _RETRY_AFTER_SECONDS if retry_after_seconds is None else retry_after_seconds
        seconds = max(1, math.ceil(min(asked, _LONGEST_RETRY_AFTER_SECONDS)))
        return UpstreamBusy(
            "The model's server takes no more calls of this course at the moment (429). Nothing "
            f"was charged; try again in {seconds} seconds.",
            retry_after_seconds=seconds,
        )
    if status >= 500:
        return UpstreamFailure(
            f"The model's server failed ({status}). Nothing was charged; try again in a moment."
        )
    return UpstreamRefusal(
        _told(stated, "message") or f"The model's server refused the call ({status}).",
        status=status if status in _PASSED_ON else 400,
        param=_told(stated, "param"),
        code=_told(stated, "code"),
    )


def _told(stated: dict[str, Any], field: str) -> str | None:
    """A field of the upstream's error, without keys, organisations and projects."""
    text = stated.get(field)
    if not isinstance(text, str):
        return None
    # Half of a surrogate pair is no text that could be logged.
    return _SECRETS.sub(r"\1-…", text.encode("utf-8", "replace").decode())


def _stated_error(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}
