"""What both halves spell alike: usage, header names, error codes, the columns of the call log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "CALL_COLUMNS",
    "CLIENT_ID_HEADER",
    "COST_COMMENT",
    "COST_FIELDS",
    "EXERCISE_HEADER",
    "INSUFFICIENT_QUOTA",
    "RATE_LIMIT_EXCEEDED",
    "REQUEST_ID_HEADER",
    "SHOULD_RETRY_HEADER",
    "WANTS_COST_HEADER",
    "Usage",
    "cost_comment",
    "cost_from_comment",
    "cost_header",
    "exercise_name",
    "usage_from_body",
]

REQUEST_ID_HEADER: Final = "x-request-id"
CLIENT_ID_HEADER: Final = "x-client-request-id"
"""A client's own name for its request, which OpenAI takes too. Our proxy ends the request's id
with it, so that a call can be found whose answer never came."""

EXERCISE_HEADER: Final = "x-swsllm-exercise"
"""What a call was made for, as ``exercise_name`` takes it, in UTF-8; kept in the ledger and never
sent to an upstream."""

EXERCISE_CHARACTERS: Final = 64

SHOULD_RETRY_HEADER: Final = "x-should-retry"
"""Read by the openai library before it retries, whatever the status is."""

COST_FIELDS: Final = ("cost_usd", "remaining_usd", "budget_usd")
"""What a call cost and how its account stands, as decimal strings."""

WANTS_COST_HEADER: Final = "x-swsllm-cost"
"""A client that sends ``1`` gets a comment with cost and budget before ``[DONE]``."""

COST_COMMENT: Final = "swsllm "
"""What such a comment begins with; a JSON object of the three cost fields follows."""

INSUFFICIENT_QUOTA: Final = "insufficient_quota"
RATE_LIMIT_EXCEEDED: Final = "rate_limit_exceeded"

CALL_COLUMNS: Final[Mapping[str, str]] = {
    "at": "datetime64[us, UTC]",
    "source": "str",
    "notebook": "str",
    "cell_id": "str",
    "exercise": "str",
    "model": "str",
    "model_served": "str",
    "prompt_tokens": "Int64",
    "cached_tokens": "Int64",
    "completion_tokens": "Int64",
    "reasoning_tokens": "Int64",
    "cost_usd": "float64",
    "cost_source": "str",
    "remaining_usd": "float64",
    "latency_seconds": "float64",
    "first_token_seconds": "float64",
    "stream": "bool",
    "status": "str",
    "finish_reason": "str",
    "error_code": "str",
    "retries": "Int64",
    "request_id": "str",
    "prompt": "str",
    "answer": "str",
}
"""The call log's frame, in order, with pandas dtypes. Amounts are USD, times UTC.

``source``: magic, ask or client. ``cost_source``: proxy (as settled), computed (usage × price),
estimated, replayed or unknown. ``status``: ok, refused, failed or interrupted. ``retries``: the
attempt's number, from 0. An unknown number is NA or NaN, an unknown text is empty.
"""


_TOKENS_LIMIT: Final = 10**9
"""No context is a thousandth as large; what states more is broken and not to be charged."""


@dataclass(frozen=True)
class Usage:
    """The tokens of one call: cached and written ones are of the prompt."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


def usage_from_body(body: Any) -> Usage | None:
    """The usage a completion or chunk states, or None where it states none that can be believed."""
    stated = body.get("usage") if isinstance(body, dict) else None
    if not isinstance(stated, dict):
        return None
    prompt = _part(stated, "prompt_tokens_details")
    completion = _part(stated, "completion_tokens_details")
    counts = (
        stated.get("prompt_tokens"),
        stated.get("completion_tokens"),
        prompt.get("cached_tokens") or 0,
        prompt.get("cache_write_tokens") or 0,
        completion.get("reasoning_tokens") or 0,
    )
    believed = [count for count in counts if type(count) is int and 0 <= count < _TOKENS_LIMIT]
    if len(believed) != len(counts):
        return None
    usage = Usage(*believed)
    parts = usage.cached_tokens + usage.cache_write_tokens
    return usage if parts <= usage.prompt_tokens else None


def _part(stated: dict[str, Any], name: str) -> dict[str, Any]:
    part = stated.get(name)
    return part if isinstance(part, dict) else {}


def exercise_name(text: str) -> str | None:
    """A name that can be kept with a call; None for an empty, a long or an unprintable one."""
    name = text.strip()
    return name if name.isprintable() and 0 < len(name) <= EXERCISE_CHARACTERS else None


def cost_header(field: str) -> str:
    """The header that carries a cost field on a plain answer: ``x-swsllm-cost-usd``."""
    return f"x-swsllm-{field.replace('_', '-')}"


def cost_comment(cost: Mapping[str, str]) -> bytes:
    """The event that tells a stream's cost, such as ``: swsllm {"cost_usd": "0.01"}``."""
    return f": {COST_COMMENT}{json.dumps(dict(cost))}\n\n".encode()


def cost_from_comment(comment: bytes) -> Mapping[str, str]:
    """The cost fields of a stream's comment; none, where it is another's comment."""
    text = comment.decode("utf-8", "replace")
    if not text.startswith(COST_COMMENT):
        return {}
    try:
        stated = json.loads(text.removeprefix(COST_COMMENT))
    except ValueError:
        return {}
    return {name: stated[name] for name in COST_FIELDS if isinstance(stated.get(name), str)}
