"""Signing in and out, choosing a password, and choosing a language."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from unicodedata import normalize

from swsllm_nb.proxy import own
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page import sessions, throttle
from swsllm_nb.proxy.page.address import inside
from swsllm_nb.proxy.page.again import kept_form
from swsllm_nb.proxy.page.arrival import session_hash
from swsllm_nb.proxy.page.passwords import complaint
from swsllm_nb.proxy.page.sessions import Signing
from swsllm_nb.proxy.page.visit import SESSION_COOKIES, Page, Response, Visit
from swsllm_nb.proxy.page.words import language_named

_LONGEST: Final = 1000

__all__ = ["Refused", "check_password", "sign_in_pages"]


class Refused(Exception):
    """The password was not taken; says why, in the language of the visit."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def sign_in_pages() -> Sequence[Page]:
    both = ("GET", "POST")
    return [
        page
        for start in ("", "/staff")
        for page in (
            Page(f"{start}/sign-in", sign_in, "anyone", both),
            Page(f"{start}/sign-out", sign_out, "anyone", ("POST",)),
            Page(f"{start}/language", language, "anyone", ("POST",)),
            Page(f"{start}/password", password, "staff" if start else "student", both),
        )
    ]


async def check_password(visit: Visit, name: str, password: str) -> Signing:
    """Who has that name and password. Raises Refused, in the same words whatever is wrong.

    The try is counted first, and forgotten when it was right. A first password is taken whatever
    is counted (see ``throttle``).
    """
    site, area = visit.site, visit.area
    found = await site.store.read(partial(sessions.signing, area, name))
    initial_hash = found.initial_hash if found else ""
    if not await site.passwords.match_initial(password[:_LONGEST], initial_hash) or found is None:
        found = await _check_throttled(visit, found, name, password)
    if not found.enabled:
        raise Refused(visit.say(
            "This account is switched off. Please ask the teaching staff."
        ), 403)  # fmt: skip
    return found


async def _check_throttled(
    visit: Visit, found: Signing | None, name: str, password: str
) -> Signing:
    site, area = visit.site, visit.area
    known = visit.is_known_to(name)
    tried = throttle.subjects(site.secret, f"{area} {name}", visit.client_address, known=known)
    wait_seconds = await site.store.write(partial(throttle.count_try, tried))
    if wait_seconds:
        raise Refused(
            visit.say(
                "Too many tries that failed. Please wait %(seconds)s seconds, then try again.",
                seconds=wait_seconds,
            ),
            429,
        )
    password_hash = found.password_hash if found else ""
    if not await site.passwords.match(password[:_LONGEST], password_hash) or found is None:
        raise Refused(visit.say(
            "That is not the name and password of an account here. If you forgot them, the "
            "teaching staff can give you a new password."
        ), 403)  # fmt: skip
    await site.store.write(partial(throttle.forgive, tried))
    return found


async def sign_in(visit: Visit) -> Response:
    back = inside(visit.field("back") or visit.query.get("back")) or ""
    kept, name = visit.field("kept"), _name(visit.field("name"))
    if visit.request.method == "GET":
        if visit.person is not None:
            return visit.redirect(_home(visit))
        return visit.page("sign_in.html", back=back, kept="", name="")
    try:
        found = await check_password(visit, name, visit.field("password"))
    except Refused as refused:
        return visit.page(
            "sign_in.html", refused.status, back=back, kept=kept, name=name,
            trouble=refused.sentence,
        )  # fmt: skip
    signed_in, token = await _begin(visit, found.id)
    again = kept_form(signed_in, kept) if kept else None
    response = again or signed_in.redirect(back or _home(visit))
    return visit.sign_in(response, token, name)


def _name(text: str) -> str:
    """A name as accounts have theirs; "" is nobody's."""
    name = normalize("NFC", text.strip()[:_LONGEST])
    return name if name.isprintable() else ""


async def _begin(visit: Visit, person_id: int) -> tuple[Visit, str]:
    """A session under a token that nobody could know before."""
    site, token = visit.site, secrets.token_urlsafe(32)
    token_hash = session_hash(site, token)
    old = visit.cookie(SESSION_COOKIES[visit.area])
    old_hash = session_hash(site, old) if old else None
    await site.store.write(partial(sessions.begin, visit.area, person_id, token_hash, old_hash))
    found = await site.store.read(partial(sessions.find, visit.area, token_hash))
    person = found[0] if found else None
    return replace(visit, person=person, token=token, new_token=False, ended=False), token


async def sign_out(visit: Visit) -> Response:
    token = visit.cookie(SESSION_COOKIES[visit.area])
    if token:
        await visit.site.store.write(partial(sessions.end, session_hash(visit.site, token)))
    path = "/staff/sign-in" if visit.area == "staff" else "/sign-in"
    return visit.sign_out(visit.redirect(path, visit.say("You are signed out.")))


async def language(visit: Visit) -> Response:
    chosen = language_named(visit.field("language"))
    response = visit.redirect(inside(visit.field("back")) or _home(visit))
    if chosen:
        visit.keep_language(response, chosen)
        if visit.person and visit.person.account:
            account_id = visit.person.id
            await visit.site.store.write(partial(own.set_language, account_id, chosen))
    return response


async def password(visit: Visit) -> Response:
    """A password of one's own: at the first sign-in it has to be chosen."""
    person = visit.person
    assert person is not None, "the page is for who is signed in"
    if visit.request.method == "GET":
        return visit.page("password.html", person=person)
    new = visit.field("new_password")
    try:
        found = await check_password(visit, person.name, visit.field("password"))
        again = visit.field("new_password_again")
        problem = complaint(visit.field("password"), new, again, person.name)
        if problem:
            raise Refused(visit.say(problem), 422)
    except Refused as refused:
        return visit.page("password.html", refused.status, person=person, trouble=refused.sentence)
    password_hash = await visit.site.passwords.hash(new)
    if visit.area == "staff":
        office = Office(visit.site.store, visit.site.secret, person.name)
        await office.choose_password(found.id, password_hash)
    else:
        set_own = partial(own.set_password, found.id, password_hash, initial=False)
        await visit.site.store.write(set_own)
    signed_in, token = await _begin(visit, found.id)
    notice = visit.say("Your new password is set. Other browsers were signed out.")
    return visit.sign_in(signed_in.redirect(_home(visit), notice), token, person.name)


def _home(visit: Visit) -> str:
    return "/staff" if visit.area == "staff" else "/"
