"""What every page is guarded by: where a form came from, and what browsers are told to refuse."""

import hmac
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from swsllm_nb.proxy.page.visit import Visit

__all__ = ["came_from_here", "harden", "has_token"]

_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with it browsers send "Origin: null" with forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "vary": "Accept-Language, Cookie",
}


def harden(response: Response) -> Response:
    """The headers of every answer; those that are there stay, as of files that may be kept."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def came_from_here(request: Request, origin: str) -> bool:
    """Whether a form was sent by a page of this origin, as every browser says since 2020.

    Other applications may share the origin, so this is not enough: forms carry a token too.
    """
    sent_by = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    if sent_by is None and site is None:
        return False
    return sent_by in (None, origin) and site in (None, "same-origin")


def has_token(visit: Visit) -> bool:
    """Whether a form was made for this session, or for this browser before it signed in."""
    return hmac.compare_digest(visit.field("csrf").encode(), visit.csrf.encode())
