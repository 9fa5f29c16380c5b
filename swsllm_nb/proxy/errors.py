"""What the proxy refuses, and the one table that turns it into OpenAI's error envelope.

ProxyError
├── Unauthenticated     no key, an unknown key, or a username and password
├── BadRequest          the body cannot be sent on as it is; names the parameter
├── BodyTooLarge
├── UnsupportedEncoding the body is packed in a way that the proxy cannot read
├── HeadTooLarge        the request line and headers alone are too long
├── RequestTimeout      the request did not come in time
├── ModelNotFound       no priced model has that name
├── NoSuchPage          a path or a method that the API does not have
├── MethodNotAllowed    a path that the API has, asked with another method
├── NotAllowed          outside the account's dates, or a model it may not use
├── BudgetExhausted     the call's bound does not fit what is unspent: final
├── TryLater            nothing is wrong with the call; says when to come again
│   ├── BudgetReserved      other calls in flight hold the rest of the budget
│   ├── TooManyCalls        as many at once, or in a minute, as one account may
│   ├── UpstreamBusy        the upstream takes no more of the proxy's calls now
│   └── StoreUnavailable    the proxy's own database does not answer
├── UpstreamRefusal     the upstream said no, and billed nothing
├── UpstreamFailure     the upstream failed
│   ├── UpstreamUnknown     and may have billed: a retry could cost twice
│   └── ProxyNotAdmitted    the upstream refuses the proxy itself: no retry can help
└── ProxyFault          a fault of the proxy itself
"""

import json
from dataclasses import dataclass
from typing import Final

from swsllm_nb.wire import INSUFFICIENT_QUOTA, RATE_LIMIT_EXCEEDED, SHOULD_RETRY_HEADER

__all__ = [
    "BadRequest",
    "BodyTooLarge",
    "BudgetExhausted",
    "BudgetReserved",
    "ErrorAnswer",
    "HeadTooLarge",
    "MethodNotAllowed",
    "ModelNotFound",
    "NoSuchPage",
    "NotAllowed",
    "ProxyError",
    "ProxyFault",
    "ProxyNotAdmitted",
    "RequestTimeout",
    "StoreUnavailable",
    "TooManyCalls",
    "TryLater",
    "Unauthenticated",
    "UnsupportedEncoding",
    "UpstreamBusy",
    "UpstreamFailure",
    "UpstreamRefusal",
    "UpstreamUnknown",
    "error_answer",
    "error_body",
    "error_code",
]


class ProxyError(Exception):
    """One sentence for the client; ``param`` names the field at fault, ``code`` its kind."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class Unauthenticated(ProxyError): ...


class BadRequest(ProxyError): ...


class BodyTooLarge(ProxyError): ...


class UnsupportedEncoding(ProxyError): ...


class HeadTooLarge(ProxyError): ...


class RequestTimeout(ProxyError): ...


class ModelNotFound(ProxyError): ...


class NoSuchPage(ProxyError): ...


class MethodNotAllowed(ProxyError): ...


class NotAllowed(ProxyError): ...


class BudgetExhausted(ProxyError): ...


class TryLater(ProxyError):
    """Carries the seconds after which another try makes sense."""

    def __init__(self, message: str, *, retry_after_seconds: int = 10) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BudgetReserved(TryLater): ...


class TooManyCalls(TryLater): ...


class StoreUnavailable(TryLater): ...


class UpstreamBusy(TryLater): ...


class UpstreamRefusal(ProxyError):
    """Carries the upstream's status where it is the client's to act on."""

    def __init__(
        self, message: str, *, status: int, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, param=param, code=code)
        self.status = status


class UpstreamFailure(ProxyError): ...


class UpstreamUnknown(UpstreamFailure): ...


class ProxyNotAdmitted(UpstreamFailure): ...


class ProxyFault(ProxyError): ...


@dataclass(frozen=True)
class ErrorAnswer:
    """Status, JSON body and extra header fields of a refusal."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Row:
    status: int
    type: str
    code: str | None
    headers: tuple[tuple[str, str], ...] = ()


_FINAL: Final = ((SHOULD_RETRY_HEADER, "false"),)

_TABLE: Final[dict[type[ProxyError], _Row]] = {
    Unauthenticated: _Row(401, "invalid_request_error", "invalid_api_key"),
    BadRequest: _Row(400, "invalid_request_error", None),
    BodyTooLarge: _Row(413, "invalid_request_error", "request_too_large"),
    UnsupportedEncoding: _Row(415, "invalid_request_error", "unsupported_content_encoding"),
    HeadTooLarge: _Row(431, "invalid_request_error", "request_header_fields_too_large"),
    RequestTimeout: _Row(408, "invalid_request_error", "request_timeout"),
    ModelNotFound: _Row(404, "invalid_request_error", "model_not_found"),
    NoSuchPage: _Row(404, "invalid_request_error", "unknown_url"),
    MethodNotAllowed: _Row(405, "invalid_request_error", "method_not_supported"),
    BudgetExhausted: _Row(429, INSUFFICIENT_QUOTA, INSUFFICIENT_QUOTA, _FINAL),
    NotAllowed: _Row(403, "invalid_request_error", "not_allowed"),
    BudgetReserved: _Row(429, "requests", RATE_LIMIT_EXCEEDED),
    TooManyCalls: _Row(429, "requests", RATE_LIMIT_EXCEEDED),
    UpstreamBusy: _Row(429, "requests", RATE_LIMIT_EXCEEDED),
    StoreUnavailable: _Row(503, "server_error", "proxy_unavailable"),
    UpstreamRefusal: _Row(400, "invalid_request_error", None),
    UpstreamFailure: _Row(502, "server_error", "upstream_failed"),
    UpstreamUnknown: _Row(502, "server_error", "upstream_failed", _FINAL),
    ProxyNotAdmitted: _Row(502, "server_error", "upstream_failed", _FINAL),
    ProxyFault: _Row(500, "server_error", "proxy_failed", _FINAL),
}


def error_answer(error: ProxyError) -> ErrorAnswer:
    """OpenAI's envelope for an error: ``{"error": {message, type, param, code}}``."""
    row = _TABLE[type(error)]
    status = error.status if isinstance(error, UpstreamRefusal) else row.status
    headers = row.headers
    if isinstance(error, TryLater):
        headers = (*headers, ("retry-after", str(error.retry_after_seconds)))
    return ErrorAnswer(status, error_body(error), headers)


def error_body(error: ProxyError) -> bytes:
    envelope = {
        "message": error.message,
        "type": _TABLE[type(error)].type,
        "param": error.param,
        "code": error_code(error),
    }
    return json.dumps({"error": envelope}).encode()


def error_code(error: ProxyError) -> str | None:
    """What kind of error it is, as the client and the log are told."""
    return error.code or _TABLE[type(error)].code
