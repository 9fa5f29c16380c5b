"""When a session ended while a form was open: nothing of what was typed is lost."""

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from swsllm_nb.proxy.page.address import inside
from swsllm_nb.proxy.page.labels import as_seen
from swsllm_nb.proxy.page.visit import Response, Visit

__all__ = ["form_again", "kept_form", "sign_in_first"]

_LONGEST_KEPT: Final = 20_000
_HOMES: Final = (None, "/", "/staff")
_BUTTONS: Final = ("/sign-out", "/language")
_NEVER_KEPT: Final = ("csrf", "kept", "back")


def sign_in_first(visit: Visit) -> Response:
    """Ask who it is; afterwards the page, or the form that was sent, is there again."""
    if visit.request.method == "POST":
        kept = _keep(visit)
        start_again = "" if kept else inside(visit.path) or ""
        return visit.page("sign_in.html", 403, back=start_again, kept=kept, name="")
    asked = visit.path + (f"?{visit.request.url.query}" if visit.request.url.query else "")
    start = "/staff/sign-in" if visit.area == "staff" else "/sign-in"
    back = inside(asked)
    return visit.redirect(f"{start}?{urlencode({'back': back})}" if back not in _HOMES else start)


def form_again(visit: Visit) -> Response:
    """A form of an earlier session: shown with what was typed, to be sent once more, or not.

    One that had a password or a file is only asked for once more: neither is sent back. The same
    holds for a button alone.
    """
    if _cannot_be_kept(visit) or visit.path.endswith(_BUTTONS):
        notice = visit.say("This form was from an earlier session. Please fill it in once more.")
        return visit.redirect(visit.path, None if visit.ended else notice)
    return _show(visit, visit.path, _typed(visit))


def kept_form(visit: Visit, kept: str) -> Response | None:
    """The form that was sent before signing in; None where there is none that can be read."""
    try:
        path, fields = json.loads(kept)
        typed = [(str(name), str(value)) for name, value in fields]
    except (ValueError, TypeError):
        return None
    if not isinstance(path, str) or inside(path) is None or "?" in path:
        return None
    return _show(visit, path, typed)


def _keep(visit: Visit) -> str:
    typed = _typed(visit)
    kept = json.dumps([visit.path, typed])
    return "" if _cannot_be_kept(visit) or not typed or len(kept) > _LONGEST_KEPT else kept


def _cannot_be_kept(visit: Visit) -> bool:
    fields = visit.form.multi_items()
    return any("password" in name or not isinstance(value, str) for name, value in fields)


def _typed(visit: Visit) -> Sequence[tuple[str, str]]:
    return [
        (name, value)
        for name, value in visit.form.multi_items()
        if isinstance(value, str) and name not in _NEVER_KEPT and "password" not in name
    ]


def _show(visit: Visit, path: str, typed: Sequence[tuple[str, str]]) -> Response:
    seen = as_seen(visit, path, typed)
    return visit.page("again.html", 409, action=path, typed=typed, seen=seen)
