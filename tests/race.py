"""Clients that race for one account's budget, and everything that is written down meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from billing import ENDINGS, PICO_PER_TOKEN, BillingUpstream, Ending
from fleets import Fleet, secret

from swsllm_nb.money import usd_text
from swsllm_nb.proxy import books
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.work import Row, Work, ask
from swsllm_nb.tokenizer import o200k_base

Act = Callable[[Store], Awaitable[None]]

FLOOR_CAP_TOKENS = 256
TRIES = 60
NO_CONNECTION = "no connection"
AGAIN = (NO_CONNECTION, "rate_limit_exceeded", "proxy_unavailable")
PAUSE_SECONDS = 0.03
MODELS = {"gpt-4o-mini": "gpt-4o-mini-2024-07-18", "gpt-4o": "gpt-4o-2024-11-20"}
PADDINGS = ("", "The quick brown fox jumps. " * 200, "Überdruß — 数据库 🙂, déjà vu! " * 110)


@dataclass(frozen=True)
class Call:
    """One call of the race. No cap means that the proxy chooses one; else no other has the same."""

    tag: str
    name: str
    model: str = "gpt-4o-mini"
    cap: int | None = None
    choices: int = 1
    padding: str = ""

    @property
    def ending(self) -> Ending:
        return ENDINGS[self.name]

    @property
    def content(self) -> str:
        return f"{self.tag} {self.name}\n{self.padding}"

    @property
    def body(self) -> dict[str, Any]:
        stated: dict[str, Any] = {} if self.cap is None else {"max_tokens": self.cap}
        if self.choices > 1:
            stated["n"] = self.choices
        if self.ending.stream:
            stated["stream"] = True
        if self.ending.leaves == "before done":
            stated["stream_options"] = {"include_usage": True}
        messages = [{"role": "user", "content": self.content}]
        return {"model": self.model, "messages": messages, **stated}

    def bound_pico(self, cap: int | None = None) -> int:
        """By the promise P5; without any cap, the least for which the call is admitted."""
        input_pico, output_pico = PICO_PER_TOKEN[MODELS[self.model]]
        tokens = len(o200k_base().encode_ordinary(self.content)) + 16 + 64
        caps = (cap or self.cap or FLOOR_CAP_TOKENS) * self.choices
        return tokens * input_pico + caps * output_pico


@dataclass(frozen=True)
class Answer:
    """What a client saw of one try, and when."""

    call: Call
    status: int | None
    code: str | None
    request_id: str | None
    headers: dict[str, str]
    sent_at: str
    seen_at: str


@dataclass
class Race:
    """A race on a fleet. ``answers`` and ``snapshots`` are what happened, in order."""

    fleet: Fleet
    upstream: BillingUpstream
    account: str
    key: str
    answers: list[Answer] = field(default_factory=list)
    snapshots: list[Row] = field(default_factory=list)
    budgets: list[tuple[str, str, int]] = field(default_factory=list)
    old_keys: list[str] = field(default_factory=list)
    _turn: int = 0

    async def run(self, clients: int, calls: Sequence[Call], *acts: Act) -> None:
        """All calls by so many clients, with acts spread over them, and a witness."""
        waiting = list(reversed(calls))
        async with (
            self.fleet.store(beat_seconds=0.5) as store,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            await self._note_budget(store)
            witness = asyncio.create_task(self._watch(store))
            async with asyncio.TaskGroup() as group:
                for _ in range(clients):
                    group.create_task(self._client(session, waiting))
                for number, act in enumerate(acts, 1):
                    left = len(calls) - len(calls) * number // (len(acts) + 1)
                    await _until(lambda left=left: len(waiting) <= left)  # type: ignore[misc]
                    await act(store)
            await self._until_nothing_is_held()
            witness.cancel()
            with suppress(asyncio.CancelledError):
                await witness

    async def top_up(self, store: Store) -> None:
        sent_at = now()
        amount_usd = usd_text(self.budgets[0][2])
        office = Office(store, secret(), "a test")
        (done,) = await office.grant([self.account], amount_usd, "in time")
        assert done.account, done.sentence
        await self._note_budget(store, sent_at)

    async def change_key(self, store: Store) -> None:
        self.old_keys.append(self.key)
        self.key = await Office(store, secret(), "a test").renew_key(self.account)

    async def _client(self, session: aiohttp.ClientSession, waiting: list[Call]) -> None:
        while waiting:
            call = waiting.pop()
            answer = await self._ask_until_final(session, call)
            if answer.status is None and call.name == "asks-again":
                await self.ask(session, call, leaves=False)

    async def _ask_until_final(self, session: aiohttp.ClientSession, call: Call) -> Answer:
        tries = 0
        while True:
            answer = await self.ask(session, call)
            tries += answer.code != NO_CONNECTION
            if answer.code in AGAIN and tries < TRIES:
                await asyncio.sleep(PAUSE_SECONDS)
            elif answer.code != "invalid_api_key":
                return answer

    async def ask(
        self, session: aiohttp.ClientSession, call: Call, *, leaves: bool = True
    ) -> Answer:
        """One try, at the next process in turn."""
        self._turn += 1
        url = self.fleet.urls[self._turn % len(self.fleet.urls)]
        place = call.ending.leaves if leaves else None
        sent_at = now()
        headers = {"authorization": f"Bearer {self.key}"}
        posting = asyncio.ensure_future(
            session.post(url, json=call.body, headers=headers).__aenter__()
        )
        if place == "before headers":
            before = self.upstream.arrived[call.tag]
            while not posting.done() and self.upstream.arrived[call.tag] == before:
                await asyncio.sleep(0.005)
            if not posting.done():
                posting.cancel()
                await asyncio.wait([posting])
                self.upstream.open_gate(call.tag)
                return self._seen(Answer(call, None, None, None, {}, sent_at, now()))
        try:
            response = await posting
        except aiohttp.ClientError as error:
            code = NO_CONNECTION if isinstance(error, aiohttp.ClientConnectorError) else None
            return self._seen(Answer(call, None, code, None, {}, sent_at, now()))
        async with response:
            code = await self._read(response, call, place)
            told = {name.lower(): value for name, value in response.headers.items()}
            request_id = told.get("x-request-id")
            return self._seen(Answer(call, response.status, code, request_id, told, sent_at, now()))

    async def _read(
        self, response: aiohttp.ClientResponse, call: Call, place: str | None
    ) -> str | None:
        """Read as far as the client stays; gives the code of a refusal."""
        if response.status != 200:
            return str((await response.json())["error"]["code"])
        leaves_at = b'"prompt_tokens"' if place == "before done" else b"content"
        with suppress(aiohttp.ClientError):  # the proxy was killed
            async for line in response.content:
                if place is not None and leaves_at in line:
                    break
        if place is None:
            return None
        response.close()
        self.upstream.open_gate(call.tag)
        return None

    def _seen(self, answer: Answer) -> Answer:
        self.answers.append(answer)
        return answer

    async def _note_budget(self, store: Store, sent_at: str = "") -> None:
        row = await store.read(lambda: _snapshot(self.account))
        self.budgets.append((sent_at, now(), row["budget_pico"]))

    async def _until_nothing_is_held(self) -> None:
        asked_at = now()
        await _until(
            lambda: (
                (last := self.snapshots[-1])["began_at"] > asked_at and not last["reserved_pico"]
            )
        )

    async def _watch(self, store: Store) -> None:
        while True:
            with suppress(StoreUnavailable):
                self.snapshots.append(await store.read(lambda: _snapshot(self.account)))
            await asyncio.sleep(0.01)

    def budget_pico(self, at: str, *, most: bool) -> int:
        """The budget at a moment; while it changes, the most or the least that it can have been."""
        side = 0 if most else 1
        return [pico for *span, pico in self.budgets if span[side] <= at][-1]


def _snapshot(account: str) -> Work[Row]:
    began_at = now()
    (row,) = yield ask(
        "SELECT budget_pico, spend_pico, reserved_pico FROM accounts WHERE name = $1", account
    )
    wrong = yield from books.differences()
    return {**row, "differences": wrong, "began_at": began_at, "seen_at": now()}


def deal(prefix: str, count: int, seed: int) -> list[Call]:
    """Calls with every ending there is for clients, mixed by a seed; each cap is stated once."""
    chance = random.Random(seed)
    names = [name for name in ENDINGS if not name.startswith("waits")]
    chosen = (names * (count // len(names) + 1))[:count]
    chance.shuffle(chosen)
    calls = []
    for number, name in enumerate(chosen):
        # Of a call without a stated cap the ledger's row is found by its request id alone.
        stated = name not in ("plain", "stream") or chance.random() < 0.5
        calls.append(
            Call(
                tag=f"{prefix}-{number:04}",
                name=name,
                model=chance.choice(list(MODELS)) if stated else "gpt-4o-mini",
                cap=FLOOR_CAP_TOKENS + 1 + number if stated else None,
                choices=chance.choice((1, 1, 2)) if stated else 1,
                padding=chance.choice(PADDINGS),
            )
        )
    return calls


def check_snapshots(race: Race) -> None:
    """P1 and P2, as another process saw them all the time."""
    assert len(race.snapshots) > 5
    for seen in race.snapshots:
        assert seen["spend_pico"] + seen["reserved_pico"] <= seen["budget_pico"], seen
        assert seen["differences"] == []


async def _until(done: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.01)


def now() -> str:
    """As the ledger writes moments."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
