"""The staff API: the acts of the office, and what the pages read, for scripts with a staff key.

``GET /staff/api`` names everything there is. An act is ``POST /staff/api/<act>`` with its words as
JSON (see ``staff_orders``); whatever it is refused for is a sentence in OpenAI's error envelope.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from swsllm_nb.proxy import books, readings
from swsllm_nb.proxy.access import bearer_key
from swsllm_nb.proxy.account_table import AccountQuery, list_accounts
from swsllm_nb.proxy.accounts import named
from swsllm_nb.proxy.asgi import read_body
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.errors import BadRequest, Unauthenticated
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.overview import course_overview
from swsllm_nb.proxy.public import in_usd, staff_detail, staff_listed, staff_overview
from swsllm_nb.proxy.readings import Part, Period
from swsllm_nb.proxy.staff_orders import ORDERS, Order, order_of
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.teaching import staff_key_holder
from swsllm_nb.proxy.work import Work

__all__ = ["staff_routes"]

PATH = "/staff/api"
BODY_LIMIT_BYTES = 4 * 1024 * 1024
_ROWS_LIMIT = 1000
_SUMS_LIMIT = 10_000

Result = TypeVar("Result")
Reading = Callable[["_Asked"], Awaitable[Any]]


@dataclass(frozen=True)
class _Asked:
    """A question of a member of staff: whose office, and the words of the address."""

    office: Office
    words: Mapping[str, str]

    async def read(self, work: Callable[[], Work[Result]]) -> Result:
        return await self.office.store.read(work)

    def account(self) -> str:
        if "account" not in self.words:
            raise BadRequest("Say whose: ?account=NAME.", param="account")
        return self.words["account"]

    def period(self) -> Period:
        return Period.of(self.words.get("since"), self.words.get("until"))

    def count(self, word: str, default: int, high: int = _ROWS_LIMIT) -> int:
        text = self.words.get(word, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= high):
            raise BadRequest(f"'{word}' is not a whole number up to {high}.", param=word)
        return int(text)


async def _accounts(asked: _Asked) -> Any:
    query = AccountQuery(
        search=asked.words.get("search", ""),
        status=asked.words.get("status"),
        sort=asked.words.get("sort", "name"),
        descending=asked.words.get("descending") in ("1", "true"),
        limit=asked.count("limit", 100),
        offset=asked.count("offset", 0, 2**31),
    )
    page = await asked.read(partial(list_accounts, query))
    return {"data": [staff_listed(one, None) for one in page.accounts], "total": page.total}


async def _account(asked: _Asked) -> Any:
    return await asked.read(partial(staff_detail, asked.account()))


async def _usage(asked: _Asked) -> Any:
    account = await asked.read(partial(named, asked.account()))
    page = await asked.read(
        partial(
            books.usage, account.id,
            after=asked.count("cursor", 0, 2**63 - 1), limit=asked.count("limit", 100) or 1,
        )
    )  # fmt: skip
    return {"data": page.rows, "next_cursor": page.next_cursor}


async def _overview(asked: _Asked) -> Any:
    return staff_overview(await asked.read(course_overview))


async def _spend(asked: _Asked) -> Any:
    by = [name for name in asked.words.get("by", "").split(",") if name]
    return await _paged(asked, partial(readings.spend, by, asked.period()))


async def _grants(asked: _Asked) -> Any:
    return await _paged(asked, partial(readings.grants, asked.period()))


async def _refusals(asked: _Asked) -> Any:
    return await _paged(asked, partial(readings.refusals, asked.period()))


async def _unconfirmed(asked: _Asked) -> Any:
    return await _paged(asked, readings.unconfirmed)


async def _paged(asked: _Asked, reading: Callable[[Part], Work[list[dict[str, Any]]]]) -> Any:
    """Some rows, and where the next ones begin; what is charged meanwhile moves those of today."""
    limit = asked.count("limit", _ROWS_LIMIT, _SUMS_LIMIT) or 1
    offset = asked.count("offset", 0, 2**31)
    rows = await asked.read(lambda: reading(Part(limit + 1, offset)))
    more = len(rows) > limit
    return {"data": rows[:limit], "next_offset": offset + limit if more else None}


async def _personal(asked: _Asked) -> Any:
    return await asked.office.personal_record(asked.account())


async def _course(asked: _Asked) -> Any:
    return in_usd(await asked.office.course())


async def _models(asked: _Asked) -> Any:
    return {"data": await asked.office.models()}


async def _staff(asked: _Asked) -> Any:
    return {"data": [asdict(teacher) for teacher in await asked.office.teachers()]}


async def _audit(asked: _Asked) -> Any:
    entries = await asked.office.audit(
        before=asked.count("before", 2**63 - 1, 2**63 - 1),
        account=asked.words.get("account"),
        limit=asked.count("limit", 100),
    )
    return {"data": [asdict(entry) for entry in entries]}


async def _index(_: _Asked) -> Any:
    return {
        "read": [f"GET {PATH}/{name}" for name in _READINGS],
        "act": [
            {"act": f"POST {PATH}/{name}", "words": list(order.__struct_fields__)}
            for name, order in ORDERS.items()
        ],
    }


_READINGS: Final[Mapping[str, Reading]] = {
    "accounts": _accounts,
    "account": _account,
    "usage": _usage,
    "overview": _overview,
    "spend": _spend,
    "grants": _grants,
    "refusals": _refusals,
    "unconfirmed": _unconfirmed,
    "personal": _personal,
    "course": _course,
    "models": _models,
    "staff": _staff,
    "audit": _audit,
}


def staff_routes(store: Store, secret: Secret) -> list[Route]:
    """The routes of the staff API, under PATH."""
    desk = _Desk(store, secret)
    return [
        Route(PATH, desk.reading(_index), methods=["GET"]),
        *(
            Route(f"{PATH}/{name}", desk.reading(reading), methods=["GET"])
            for name, reading in _READINGS.items()
        ),
        *(
            Route(f"{PATH}/{name}", desk.acting(order), methods=["POST"])
            for name, order in ORDERS.items()
        ),
    ]


@dataclass(frozen=True)
class _Desk:
    store: Store
    secret: Secret

    def reading(self, reading: Reading) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            office = await self._office_of(request)
            for text in request.query_params.values():
                if not text.isprintable():
                    raise BadRequest("The address has characters that cannot be printed.")
            return await _told(reading(_Asked(office, request.query_params)))

        return answer

    def acting(self, kind: type[Order]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            office = await self._office_of(request)
            body = await read_body(request.scope, request.receive, BODY_LIMIT_BYTES)
            return await _told(order_of(kind, body).do(office))

        return answer

    async def _office_of(self, request: Request) -> Office:
        """The office of whoever holds the staff key. Raises Unauthenticated."""
        key = bearer_key(request.headers.get("authorization"))
        key_hash = self.secret.hash_key(key)
        teacher = await self.store.read(lambda: staff_key_holder(key_hash))
        if teacher is None:
            raise Unauthenticated(
                "This is no key of the teaching staff, or it works no more. "
                "'swsllm staff key NAME' makes one."
            )
        return Office(self.store, self.secret, teacher.name)


async def _told(answer: Awaitable[Any]) -> Response:
    try:
        told = await answer
    except ValueError as error:
        raise BadRequest(str(error)) from None
    # Passwords are in some of them.
    return JSONResponse(told, headers={"cache-control": "no-store"})
