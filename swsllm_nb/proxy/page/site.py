"""All pages as one application: each request becomes a visit, guarded, and answered in a page."""

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from swsllm_nb.proxy.asgi import ClientGone, Receive, Scope, Send, header, read_body
from swsllm_nb.proxy.auth import Passwords, Secret
from swsllm_nb.proxy.errors import BadRequest, BodyTooLarge, ProxyError, StoreUnavailable
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.page import arrival
from swsllm_nb.proxy.page.address import PublicAddress
from swsllm_nb.proxy.page.again import form_again, sign_in_first
from swsllm_nb.proxy.page.front import front_pages
from swsllm_nb.proxy.page.guard import came_from_here, harden, has_token
from swsllm_nb.proxy.page.key import key_pages
from swsllm_nb.proxy.page.receipts_csv import csv_pages
from swsllm_nb.proxy.page.sign_in import sign_in_pages
from swsllm_nb.proxy.page.staff_pages import staff_pages
from swsllm_nb.proxy.page.student import student_pages
from swsllm_nb.proxy.page.templating import environments, static_files
from swsllm_nb.proxy.page.visit import Page, Site, Visit
from swsllm_nb.proxy.page.words import parted
from swsllm_nb.proxy.store import Store

__all__ = ["Pages", "pages_over"]

_ALL_PAGES: Final = (
    front_pages, sign_in_pages, student_pages, key_pages, csv_pages, staff_pages,
)  # fmt: skip
_LARGEST_FIELDS: Final = 5000
_STAFF_API: Final = "/staff/api"
_WITH_INITIAL_PASSWORD: Final = ("/password", "/sign-out", "/language")

_faults = logging.getLogger(__name__)


class Pages:
    """The application, and which paths are its own."""

    def __init__(self, site: Site, pages: Sequence[Page]) -> None:
        self._site = site
        self._static = {file.name: file for file in site.static.values()}
        self._firsts = {page.path.split("/")[1] for page in pages} | {"static"}
        routes = [Route("/static/{name}", self._file, methods=["GET"])]
        for page in pages:
            # Who comes back to a form by its address is led to where the form stands.
            methods = {*page.methods, "GET"}
            routes.append(Route(page.path, self._endpoint(page), methods=list(methods)))
        self._app = Starlette(routes=routes, exception_handlers={HTTPException: self._no_such_page})
        self._app.router.redirect_slashes = False

    def owns(self, scope: Scope, path: str) -> bool:
        """Whether a path is a page; who comes with a key wants the API, and is told so."""
        is_api = path == _STAFF_API or path.startswith(f"{_STAFF_API}/")
        if is_api or (header(scope, b"authorization") or "").lower().startswith("bearer"):
            return False
        return path.split("/")[1] in self._firsts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _file(self, request: Request) -> Response:
        file = self._static.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        keep = {"cache-control": "public, max-age=31536000, immutable"}
        return harden(Response(file.content, media_type=file.media_type, headers=keep))

    def _endpoint(self, page: Page) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def endpoint(request: Request) -> Response:
            return await self._guarded(request, partial(self._answer, page))

        return endpoint

    async def _guarded(
        self, request: Request, answer: Callable[[Visit], Coroutine[Any, Any, Response]]
    ) -> Response:
        """An answer to a request that came to the right host, whatever happens inside."""
        if request.method == "HEAD":
            request.scope["method"] = "GET"
        origin = self._site.address.origin_of(request.scope)
        if origin is None:
            return harden(self._other_host())
        visit = arrival.stranger(self._site, request, origin)
        try:
            visit = await arrival.visit(self._site, request, origin)
            response = await answer(visit)
        except StoreUnavailable:
            response = visit.page("sorry.html", 503, sentence=visit.say(
                "The course's database does not answer at the moment. Please try again in a "
                "few seconds."
            ))  # fmt: skip
        except Exception:
            _faults.exception("%s %s failed", request.method, visit.path)
            response = visit.page("sorry.html", 500, sentence=visit.say(
                "The page itself failed. Please look whether it was done before you try again, or "
                "tell the teaching staff."
            ))  # fmt: skip
        return harden(response)

    async def _answer(self, page: Page, visit: Visit) -> Response:
        if not _is_storable(visit.request):
            return visit.page("sorry.html", 404, sentence=visit.say("There is no such page here."))
        if visit.request.method == "POST":
            if not came_from_here(visit.request, visit.origin):
                return visit.page("sorry.html", 403, sentence=visit.say(
                    "This form was sent from another site, so nothing was done. Open this page "
                    "itself and try again."
                ))  # fmt: skip
            read = await _read_form(page, visit)
            if isinstance(read, Response):
                return read
            visit = read
        try:
            return await self._answer_read(page, visit)
        finally:
            await visit.form.close()

    async def _answer_read(self, page: Page, visit: Visit) -> Response:
        """An answer to a request whose form, if it has one, was read."""
        sending = visit.request.method == "POST"
        if page.who != "anyone" and visit.person is None:
            return sign_in_first(visit)
        if visit.person and visit.person.must_change_password and _waits(visit):
            return visit.redirect("/staff/password" if visit.area == "staff" else "/password")
        if sending and not has_token(visit):
            return form_again(visit)
        if not sending and "GET" not in page.methods:
            return visit.redirect("/staff" if visit.area == "staff" else "/")
        return await page.answer(visit)

    async def _no_such_page(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = error.status_code

        async def answer(visit: Visit) -> Response:
            return visit.page("sorry.html", status, sentence=visit.say(
                "There is no such page here."
            ))  # fmt: skip

        response = await self._guarded(request, answer)
        response.headers.update(error.headers or {})
        return response

    def _other_host(self) -> Response:
        stated = self._site.address.stated_url
        where = (
            f"It is at {stated}"
            if stated
            else (
                "Use the machine's numeric address or localhost, or let the teaching staff state "
                "the public address of this page."
            )
        )
        return PlainTextResponse(f"This page does not answer to that name. {where}\n", 421)


def _is_storable(request: Request) -> bool:
    """Whether a database can take what stands in the address: none takes a NUL in a text."""
    return b"%00" not in request.scope["query_string"]


def _waits(visit: Visit) -> bool:
    path = visit.path.removeprefix("/staff") if visit.area == "staff" else visit.path
    return path not in _WITH_INITIAL_PASSWORD


async def _read_form(page: Page, visit: Visit) -> Visit | Response:
    """The visit with its form, or what to say about one that cannot be read."""
    limit = page.largest_form_bytes if page.who == "anyone" or visit.person else 64 * 1024
    request = visit.request
    try:
        body = await read_body(request.scope, request.receive, limit)
        form = await arrival.form(request, body, limit, _LARGEST_FIELDS)
        if any("\0" in name or "\0" in value for name, value in arrival.texts(form)):
            raise BadRequest("A text with a NUL is none.")
    except BodyTooLarge:
        if page.who != "anyone" and visit.person is None:
            return sign_in_first(visit)
        return visit.page("sorry.html", 413, sentence=visit.say(
            "What you sent is larger than %(limit)s bytes, so nothing was done. Send less at "
            "once.", limit=parted(limit),
        ))  # fmt: skip
    except (ProxyError, HTTPException, ClientGone):
        return visit.page("sorry.html", 400, sentence=visit.say(
            "What you sent cannot be read, so nothing was done. Please try again."
        ))  # fmt: skip
    return replace(visit, form=form)


def pages_over(
    store: Store,
    secret: Secret,
    offer: Offer,
    upstream_hosts: Mapping[str, str],
    address: PublicAddress,
) -> Pages:
    """The pages of a course, at an address."""
    site = Site(
        store=store,
        secret=secret,
        offer=offer,
        upstream_hosts=upstream_hosts,
        address=address,
        passwords=Passwords(),
        environments=environments(),
        static=static_files(),
    )
    return Pages(site, [page for pages in _ALL_PAGES for page in pages()])
