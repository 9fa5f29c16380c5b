"""From a request to a visit: whose session, which language, what the course says of itself."""

import secrets
from collections.abc import Iterator
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.requests import Request

from swsllm_nb.proxy.course import Course, course
from swsllm_nb.proxy.page import sessions
from swsllm_nb.proxy.page.sessions import Area, Person
from swsllm_nb.proxy.page.visit import (
    FORM_COOKIE,
    LANGUAGE_COOKIE,
    SESSION_COOKIES,
    Site,
    Visit,
)
from swsllm_nb.proxy.page.words import Language, language_named, preferred
from swsllm_nb.proxy.work import Work

__all__ = ["form", "session_hash", "stranger", "texts", "visit"]

_UNKNOWN: Final = Course()


def stranger(site: Site, request: Request, origin: str) -> Visit:
    """A visit of nobody in particular, for which nothing has to be read."""
    known = _cookie(site, request, FORM_COOKIE)
    return Visit(
        request=request,
        site=site,
        origin=origin,
        area=_area(request),
        language=_language(site, request, None, None),
        course=_UNKNOWN,
        person=None,
        token=known or secrets.token_urlsafe(24),
        new_token=known is None,
    )


async def visit(site: Site, request: Request, origin: str) -> Visit:
    """Raises StoreUnavailable."""
    area = _area(request)
    token = _cookie(site, request, SESSION_COOKIES[area])
    token_hash = token and session_hash(site, token)
    person, unseen, said = await site.store.read(lambda: _arrive(area, token_hash or None))
    if token_hash and unseen:
        await site.store.write(lambda: sessions.note_seen(token_hash))
    unknown = stranger(site, request, origin)
    return Visit(
        request=request,
        site=site,
        origin=origin,
        area=area,
        language=_language(site, request, person, said),
        course=said,
        person=person,
        token=token if person and token else unknown.token,
        ended=bool(token) and person is None,
        new_token=person is None and unknown.new_token,
    )


def session_hash(site: Site, token: str) -> bytes:
    """What a session is kept under; the token itself is only in its browser."""
    return site.secret.keyed_hash("session", token)


async def form(request: Request, body: bytes, limit_bytes: int, most_fields: int) -> FormData:
    """A form from the body that was read. Raises starlette's HTTPException for none."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    read = Request(request.scope, receive)
    return await read.form(max_files=2, max_fields=most_fields, max_part_size=limit_bytes)


def texts(form: FormData) -> Iterator[tuple[str, str]]:
    """The names and values of a form's fields, without its files."""
    return ((name, value) for name, value in form.multi_items() if isinstance(value, str))


def _arrive(area: Area, token_hash: bytes | None) -> Work[tuple[Person | None, bool, Course]]:
    found = None
    if token_hash is not None:
        found = yield from sessions.find(area, token_hash)
    person, unseen = found or (None, False)
    return person, unseen, (yield from course())


def _area(request: Request) -> Area:
    path = request.scope["path"]
    return "staff" if path == "/staff" or path.startswith("/staff/") else "student"


def _language(
    site: Site, request: Request, person: Person | None, course: Course | None
) -> Language:
    """What was switched to, else what the account says, else the browser, else the course."""
    return (
        language_named(_cookie(site, request, LANGUAGE_COOKIE))
        or language_named(person.language if person else None)
        or preferred(request.headers.get("accept-language", ""))
        or language_named(course.language if course else None)
        or "en"
    )


def _cookie(site: Site, request: Request, name: str) -> str | None:
    value = request.cookies.get(site.cookie_name(name))
    return value if value and len(value) <= 500 else None
