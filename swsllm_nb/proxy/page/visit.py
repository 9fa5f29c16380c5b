"""One request for a page: who asks, in which language, and how an answer is made."""

import base64
import binascii
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from swsllm_nb.proxy.auth import Passwords, Secret
from swsllm_nb.proxy.course import Course
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.page.address import PublicAddress
from swsllm_nb.proxy.page.sessions import Area, Person
from swsllm_nb.proxy.page.templating import Environment, StaticFile
from swsllm_nb.proxy.page.words import LANGUAGES, Language, translate
from swsllm_nb.proxy.store import Store

__all__ = ["Page", "Response", "Site", "Visit"]

LANGUAGE_COOKIE: Final = "swsllm-language"
SESSION_COOKIES: Final[dict[Area, str]] = {"student": "swsllm-session", "staff": "swsllm-staff"}
FORM_COOKIE: Final = "swsllm-form"
_KNOWN_COOKIES: Final[dict[Area, str]] = {"student": "swsllm-known", "staff": "swsllm-known-staff"}
_NOTICE_COOKIE: Final = "swsllm-notice"
_NOTICE_CHARACTERS: Final = 600
_YEAR_SECONDS: Final = 365 * 24 * 3600


@dataclass(frozen=True)
class Site:
    """All that pages are made from.

    ``upstream_hosts`` says where prompts go, "" for what does not leave this machine.
    """

    store: Store
    secret: Secret
    offer: Offer
    upstream_hosts: Mapping[str, str]
    address: PublicAddress
    passwords: Passwords
    environments: Mapping[Language, Environment]
    static: Mapping[str, StaticFile]

    @property
    def is_practice(self) -> bool:
        return tuple(self.upstream_hosts) == ("practice",)

    def cookie_name(self, name: str) -> str:
        return f"__Secure-{name}" if self.address.secure else name


@dataclass(frozen=True)
class Visit:
    """A request that came to the right host, and whoever made it.

    ``token`` is the session's, or for who is not signed in the browser's own; forms carry a hash of
    it. ``person`` is who the page is for: on staff's pages a teacher, elsewhere a student.
    ``ended`` tells that there was a session, which lives no more.
    """

    request: Request
    site: Site
    origin: str
    area: Area
    language: Language
    course: Course
    person: Person | None
    token: str
    ended: bool = False
    new_token: bool = False
    form: FormData = field(default_factory=FormData)

    @property
    def path(self) -> str:
        return str(self.request.scope["path"])

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    @property
    def base_url(self) -> str:
        """What students give to their programs, with a slash at its end."""
        return self.site.address.stated_url or f"{self.origin}{self.site.address.path}/"

    @property
    def client_address(self) -> str:
        return self.site.address.client_of(self.request.scope)

    @property
    def csrf(self) -> str:
        return self.site.secret.keyed_hash("form", self.token).hex()

    @property
    def practice(self) -> bool:
        return self.site.is_practice

    @property
    def languages(self) -> Mapping[Language, str]:
        return LANGUAGES

    def url(self, path: str) -> str:
        return self.site.address.url(path)

    def area_url(self, path: str) -> str:
        """One of the few pages that students and staff have both, such as ``/sign-out``."""
        return self.url(f"/staff{path}" if self.area == "staff" else path)

    @property
    def back(self) -> str:
        """Where a form that changes nothing but the language leads back to."""
        return self.path if self.request.method == "GET" else ""

    def static_url(self, name: str) -> str:
        return self.url(f"/static/{self.site.static[name].name}")

    def field(self, name: str) -> str:
        """A field of the form as text; empty where there is none."""
        value = self.form.get(name)
        return value if isinstance(value, str) else ""

    def fields(self, name: str) -> list[str]:
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    async def file(self, name: str) -> bytes:
        """A file of the form; empty where there is none."""
        value = self.form.get(name)
        return await value.read() if isinstance(value, UploadFile) else b""

    def say(self, english: str, /, **values: object) -> str:
        """A sentence in the language of this visit; ``%(name)s`` takes a value."""
        return (
            translate(english, self.language) % values
            if values
            else translate(english, self.language)
        )

    def page(self, template: str, /, status: int = 200, **values: Any) -> Response:
        """A page. What ``notice`` says is told at its top, ``trouble`` as what went wrong."""
        told = {"notice": None, "trouble": None, **values}
        told["notice"] = told["notice"] or self._kept_notice()
        text = (
            self.site.environments[self.language]
            .get_template(template)
            .render(visit=self, url=self.url, static=self.static_url, **told)
        )
        response = Response(text, status, media_type="text/html")
        if self.cookie(_NOTICE_COOKIE):
            self._forget(response, _NOTICE_COOKIE)
        return self.finished(response)

    def download(
        self, content: bytes, media_type: str, *, name: str = "", cache: str = ""
    ) -> Response:
        """Something to be saved, under a name of ours."""
        response = Response(content, media_type=media_type)
        if name:
            response.headers["content-disposition"] = f'attachment; filename="{name}"'
        if cache:
            response.headers["cache-control"] = cache
        return response

    def long_download(self, chunks: AsyncIterator[bytes], media_type: str, name: str) -> Response:
        """Something to be saved that is sent while it is made."""
        kept = {"content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(chunks, media_type=media_type, headers=kept)

    def redirect(self, path: str, notice: str | None = None) -> Response:
        """To another of our pages, which tells the notice once."""
        response = RedirectResponse(self.url(path), 303)
        if notice:
            shown = base64.urlsafe_b64encode(notice[:_NOTICE_CHARACTERS].encode()).decode()
            self._set(response, _NOTICE_COOKIE, f"{shown}.{self._notice_check(shown)}")
        return self.finished(response)

    def finished(self, response: Response) -> Response:
        """Any answer, with the cookie by which a browser that is not signed in owns its forms."""
        if self.new_token:
            self._set(response, FORM_COOKIE, self.token)
        return response

    def sign_in(self, response: Response, token: str, name: str) -> Response:
        path = self._session_path
        self._set(response, SESSION_COOKIES[self.area], token, path=path)
        known = self._known_by(name)
        self._set(response, _KNOWN_COOKIES[self.area], known, path=path, max_age=_YEAR_SECONDS)
        return response

    def is_known_to(self, name: str) -> bool:
        """Whether this browser is one that signed in under that name before."""
        return hmac.compare_digest(
            (self.cookie(_KNOWN_COOKIES[self.area]) or "").encode(), self._known_by(name).encode()
        )

    def _known_by(self, name: str) -> str:
        return self.site.secret.keyed_hash("known browser", f"{self.area} {name}").hex()

    def sign_out(self, response: Response) -> Response:
        self._forget(response, SESSION_COOKIES[self.area], path=self._session_path)
        return response

    def keep_language(self, response: Response, language: Language) -> None:
        self._set(response, LANGUAGE_COOKIE, language, max_age=_YEAR_SECONDS)

    def cookie(self, name: str) -> str | None:
        return self.request.cookies.get(self.site.cookie_name(name))

    @property
    def _session_path(self) -> str:
        return self.url("/staff") if self.area == "staff" else self.site.address.path or "/"

    def _kept_notice(self) -> str | None:
        shown, _, check = (self.cookie(_NOTICE_COOKIE) or "").partition(".")
        if not shown or check != self._notice_check(shown):
            return None
        try:
            return base64.urlsafe_b64decode(shown).decode()
        except (binascii.Error, ValueError):
            return None

    def _notice_check(self, shown: str) -> str:
        return self.site.secret.keyed_hash("notice", shown).hex()[:32]

    def _set(
        self,
        response: Response,
        name: str,
        value: str,
        *,
        path: str | None = None,
        max_age: int | None = None,
    ) -> None:
        response.set_cookie(
            self.site.cookie_name(name), value, max_age=max_age,
            path=path or self.site.address.path or "/", secure=self.site.address.secure,
            httponly=True, samesite="lax",
        )  # fmt: skip

    def _forget(self, response: Response, name: str, path: str | None = None) -> None:
        response.delete_cookie(
            self.site.cookie_name(name), path=path or self.site.address.path or "/",
            secure=self.site.address.secure, httponly=True, samesite="lax",
        )  # fmt: skip


@dataclass(frozen=True)
class Page:
    """A path, who may come there, and what answers.

    Who is not signed in is led to sign in first; a form that was sent comes back afterwards.
    """

    path: str
    answer: Callable[[Visit], Awaitable[Response]]
    who: Literal["anyone", "student", "staff"]
    methods: Sequence[str] = ("GET",)
    largest_form_bytes: int = 64 * 1024
