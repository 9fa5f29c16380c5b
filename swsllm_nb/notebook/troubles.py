"""What the openai library's exceptions know of a failed call, for ``errors.explain``."""

import json
import math
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2
import openai

from swsllm_nb import wire
from swsllm_nb.notebook.errors import OTHER_HOST, LLMError, Trouble

__all__ = ["as_final", "connection_code", "trouble_of"]

_HOPELESS: Final = frozenset({"untrusted", "no_tls", "no_such_host", "web_proxy", "unreadable"})
_CODES: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (LLMError, OTHER_HOST),
    (httpx2.ProxyError, "web_proxy"),
    (httpx2.DecodingError, "unreadable"),
    (httpx2.TooManyRedirects, "unreadable"),
    (httpx2.ConnectTimeout, "no_server"),
    (httpx2.TimeoutException, "timeout"),
)


def trouble_of(error: openai.OpenAIError, base_url: str = "") -> Trouble:
    """What an exception of the library knows of the call that it ended."""
    request: httpx2.Request | None = getattr(error, "request", None)
    if request:
        base_url = str(request.url).removesuffix("/chat/completions")
    body = getattr(error, "body", None)
    details = body if isinstance(body, dict) else {}
    code, message = str(details.get("code") or details.get("type") or ""), details.get("message")
    status: int | None = None
    headers: Mapping[str, str] = {}
    if isinstance(error, LLMError):
        code = OTHER_HOST
    elif isinstance(error, openai.LengthFinishReasonError):
        code = "cut_short"
    elif isinstance(error, openai.ContentFilterFinishReasonError):
        code = "filtered"
    elif isinstance(error, openai.APIConnectionError):
        unknown = "timeout" if isinstance(error, openai.APITimeoutError) else "cut"
        code, message = connection_code(error.__cause__) if error.__cause__ else unknown, ""
    elif isinstance(error, openai.APIStatusError):
        status, headers = error.status_code, error.response.headers
        if details.get("type") == wire.INSUFFICIENT_QUOTA:
            code = wire.INSUFFICIENT_QUOTA
        message = message or (details.get("detail") if details else error.response.text)
    return Trouble(
        code=code,
        status=status,
        message=str(error) if message is None else str(message),
        base_url=base_url,
        model=_model_asked(request),
        waited_seconds=_patience(request) if code == "timeout" else None,
        retry_after_seconds=_retry_after_seconds(headers),
        may_retry=headers.get(wire.SHOULD_RETRY_HEADER) != "false",
    )


def connection_code(error: BaseException) -> str:
    """In one word, a key of ``sentences.SENTENCES``, what kept an answer from coming."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    unreached = (httpx2.ConnectError, httpx2.UnsupportedProtocol, httpx2.InvalidURL, ssl.SSLError)
    if not isinstance(error, unreached):
        return "cut"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "untrusted"
        if isinstance(cause, ssl.SSLError):
            return "no_tls"
        if isinstance(cause, socket.gaierror):
            return "no_such_host"
    return "no_server"


def as_final(code: str, request: httpx2.Request) -> openai.OpenAIError | None:
    """For what would break in the same way again: the library does not repeat its own errors."""
    return openai.APIConnectionError(request=request) if code in _HOPELESS else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _model_asked(request: httpx2.Request | None) -> str:
    try:
        body: Any = json.loads(request.content) if request else None
    except (ValueError, httpx2.RequestNotRead):
        return ""
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else ""


def _patience(request: httpx2.Request | None) -> float | None:
    limits = request.extensions.get("timeout") if request else None
    return limits.get("read") if isinstance(limits, dict) else None


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """What the server asks for, in seconds or as a date; None where it asks for nothing sane."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            seconds = _seconds_until(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return parsedate_to_datetime(text).timestamp() - time.time()
