"""What an upstream's error means to the client, and whether it can have been billed."""

import json
import re
from typing import Any

from swsllm_nb.proxy.errors import ProxyError, UpstreamFailure, UpstreamRefusal, UpstreamUnknown
from swsllm_nb.wire import INSUFFICIENT_QUOTA

__all__ = ["refusal_of"]

_UNCLEAR = frozenset({408, 499})
_OURS_TO_ACT_ON = frozenset({401, 402, 403})
_SECRETS = re.compile(r"\b(sk|org|proj|sess)-[\w*.-]+")


def refusal_of(status: int, body: bytes) -> ProxyError:
    """The error to answer with: an UpstreamUnknown where the call may have been billed.

    A 4xx (but 408 and 499) and a 5xx with the upstream's own JSON error were not billed.
    """
    stated = _stated_error(body)
    if status in _UNCLEAR or not (400 <= status < 500 or stated):
        return UpstreamUnknown(
            f"The model's server answered {status} and did not say whether it billed the call, so "
            "its upper bound is charged as unconfirmed; ask the teaching staff for it back."
        )
    code = stated.get("code")
    if status in _OURS_TO_ACT_ON or code == INSUFFICIENT_QUOTA:
        return UpstreamFailure(
            f"The model's server refused the proxy itself ({status}). Nothing was charged and "
            "your key is fine; please tell the teaching staff."
        )
    if status >= 500:
        return UpstreamFailure(
            f"The model's server failed ({status}). Nothing was charged; try again in a moment."
        )
    message = _SECRETS.sub(r"\1-…", str(stated.get("message") or f"The model's server: {status}."))
    param = stated.get("param")
    return UpstreamRefusal(
        message,
        status=status,
        param=param if isinstance(param, str) else None,
        code=code if isinstance(code, str) else None,
    )


def _stated_error(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}
