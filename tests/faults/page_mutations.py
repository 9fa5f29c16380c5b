"""The page's guards taken out, one at a time, each with the tests that must notice."""

# ruff: noqa: E501  what is replaced stands as it is in the program
from typing import Final

from faults.list_of_mutations import Change, Mutation

__all__ = ["PAGE_MUTATIONS"]

_PAGE = "proxy/page"


def _one(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, (Change(f"{_PAGE}/{file}", old, new),), tests)


def _safe(name: str) -> str:
    return f"tests/test_page_safe.py::{name}"


def _throttle(name: str) -> str:
    return f"tests/test_page_throttle.py::{name}[sqlite]"


_CROSS_SITE = _safe("test_a_form_of_another_site_does_nothing_even_with_the_right_token")
_HOST = _safe("test_the_page_answers_to_its_own_name_only")
_FIXED = _safe("test_a_session_is_new_at_every_sign_in_whatever_token_the_browser_came_with")
_REPLAYED = _safe(
    "test_a_cookie_that_was_signed_out_or_replaced_is_worth_nothing_when_it_is_replayed"
)
_COOKIE = _safe("test_a_session_cookie_is_for_this_path_alone_and_for_https_where_there_is_https")
_HEADERS = _safe("test_every_answer_tells_browsers_what_to_refuse_and_to_keep_nothing")
_ENUMERATION = _safe("test_nobody_learns_from_words_or_time_which_accounts_there_are")
_EXPIRY = _safe("test_a_session_ends_after_idle_hours_and_after_a_day")
_ELSEWHERE = _safe("test_signing_in_leads_nowhere_else")
_GUESSING = _safe("test_guessing_is_stopped_for_one_account_from_one_place_and_nobody_else")
_FIRST = _safe("test_a_first_sign_in_leads_to_a_password_of_ones_own_and_to_nothing_else")
_CLASS = "test_a_class_behind_one_address_signs_in_whatever_one_of_it_does"

PAGE_MUTATIONS: Final = (
    _one(
        "forms are taken from any site",
        "guard.py",
        'return sent_by in (None, origin) and site in (None, "same-origin")',
        "return True",
        _CROSS_SITE,
    ),
    _one(
        "who does not say where a form is from is believed",
        "guard.py",
        "    if sent_by is None and site is None:\n        return False\n",
        "",
        _CROSS_SITE,
    ),
    _one(
        "forms need no token",
        "site.py",
        "if sending and not has_token(visit):",
        "if sending and False:",
        _safe("test_a_form_without_the_token_of_its_session_does_nothing"),
    ),
    _one(
        "any host is ours",
        "site.py",
        "        if origin is None:\n            return harden(self._other_host())\n",
        '        origin = origin or "http://any"\n',
        _HOST,
    ),
    _one(
        "any name is an address while none is stated",
        "address.py",
        "numeric = _NUMERIC_HOST.fullmatch(asked.host)",
        "numeric = True",
        _HOST,
    ),
    _one(
        "a browser keeps the token that it came with",
        "sign_in.py",
        "site, token = visit.site, secrets.token_urlsafe(32)",
        "site, token = visit.site, visit.cookie(SESSION_COOKIES[visit.area]) or secrets.token_urlsafe(32)",
        _FIXED,
    ),
    _one(
        "signing out leaves the session",
        "sessions.py",
        '    yield ask("DELETE FROM sessions WHERE token_hash = $1", token_hash)',
        '    yield ask("SELECT 1 WHERE $1 = $1", token_hash)',
        _REPLAYED,
    ),
    _one(
        "sessions never end by themselves",
        "sessions.py",
        '    if idle_seconds > IDLE_SECONDS or row["expires_at"] <= row["now"]:\n        return None\n',
        "",
        _EXPIRY,
    ),
    _one(
        "a switched off account stays signed in",
        "sessions.py",
        "WHERE token_hash = $1 AND enabled = 1 AND deleted_at IS NULL",
        "WHERE token_hash = $1",
        _safe("test_who_is_disabled_deleted_or_reset_is_signed_out_at_once"),
    ),
    _one(
        "cookies go over http too",
        "visit.py",
        'path=path or self.site.address.path or "/", secure=self.site.address.secure,\n            httponly=True, samesite="lax",\n        )  # fmt: skip\n\n    def _forget',
        'path=path or self.site.address.path or "/", secure=False,\n            httponly=True, samesite="lax",\n        )  # fmt: skip\n\n    def _forget',
        _COOKIE,
    ),
    _one(
        "staff's cookie goes to every page",
        "visit.py",
        'return self.url("/staff") if self.area == "staff" else self.site.address.path or "/"',
        'return self.site.address.path or "/"',
        _COOKIE,
    ),
    _one(
        "scripts may stand in a page",
        "guard.py",
        "script-src 'self'",
        "script-src 'self' 'unsafe-inline'",
        _HEADERS,
    ),
    _one(
        "names are not escaped",
        "templating.py",
        "autoescape=True",
        "autoescape=False",
        _safe("test_hostile_names_reasons_and_words_of_the_course_are_text"),
    ),
    _one(
        "signing in leads wherever it was asked to",
        "address.py",
        "return path if path and len(path) <= 500 and _INSIDE.fullmatch(path) else None",
        "return path",
        _ELSEWHERE,
    ),
    _one(
        "an account that is not there is refused at once",
        "sign_in.py",
        '    password_hash = found.password_hash if found else ""\n',
        '    password_hash = found.password_hash if found else ""\n    if found is None:\n        raise Refused(visit.say("That is not the name and password of an account here. If you forgot them, the teaching staff can give you a new password."), 403)\n',
        _ENUMERATION,
    ),
    _one(
        "passwords may be tried for ever",
        "sign_in.py",
        "    if wait_seconds:\n",
        "    if wait_seconds and False:\n",
        _GUESSING,
        _safe("test_the_password_once_more_is_no_way_around_the_throttle"),
    ),
    _one(
        "a try is counted after it was made",
        "throttle.py",
        "        failures = subject.rule.failures_now(rows[subject.key], moment) + 1\n",
        "        failures = 1\n",
        _throttle("test_a_crowd_of_tries_at_once_counts_as_many"),
    ),
    _one(
        "one student's mistakes lock out the address",
        "throttle.py",
        "_ADDRESS: Final = _Rule(free=200,",
        "_ADDRESS: Final = _Rule(free=5,",
        _throttle(_CLASS),
    ),
    _one(
        "the first password is good for everything",
        "site.py",
        "if visit.person and visit.person.must_change_password and _waits(visit):",
        "if False:",
        _FIRST,
    ),
    _one(
        "a key is shown for the session alone",
        "key.py",
        '    account = student_of(visit)\n    try:\n        await check_password(visit, account.name, visit.field("password"))\n    except Refused as refused:\n        return _page(visit, status=refused.status, trouble=refused.sentence)\n    live',
        "    account = student_of(visit)\n    live",
        _safe("test_a_key_is_in_no_page_until_it_is_asked_for_with_the_password"),
    ),
)
