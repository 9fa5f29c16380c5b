"""The upstreams of one proxy: which may serve a model, and where a call is tried again."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from swsllm_nb.catalogue import Model
from swsllm_nb.proxy.errors import ProxyNotAdmitted
from swsllm_nb.proxy.refusals import is_out_of_quota, may_have_billed
from swsllm_nb.proxy.upstream import NotSent, Route, Upstream, UpstreamAnswer

__all__ = ["Upstreams"]

TRIES = 3
PATIENCE_SECONDS = 8
"""For waiting between tries: whoever asks through the openai library tries again itself."""

_PAUSES_SECONDS: Final = (0.5, 1.0)
_JITTER = 0.25
_BUSY = frozenset({429, 503})


class Upstreams:
    """One or several upstreams, the preferred one first."""

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._by_name = {upstream.name: upstream for upstream in upstreams}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    @property
    def hosts(self) -> dict[str, str]:
        """Where prompts go, by an upstream's name; "" where they stay on this machine."""
        return {name: upstream.host for name, upstream in self._by_name.items()}

    def route(self, model: Model) -> Route:
        """The way to the upstreams that may serve a model. Raises ProxyNotAdmitted."""
        names = model.upstreams or self._by_name
        allowed = [self._by_name[name] for name in names if name in self._by_name]
        if not allowed:
            raise ProxyNotAdmitted(
                f"The model `{model.id}` may be served by {' or '.join(model.upstreams)} only, and "
                f"this proxy has {' and '.join(self._by_name)}. Please tell the teaching staff."
            )
        return _Route(allowed)

    async def close(self) -> None:
        for upstream in self._by_name.values():
            await upstream.close()


class _Route:
    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._upstreams = upstreams
        self.name = upstreams[0].name

    def post(self, body: bytes) -> AbstractAsyncContextManager[UpstreamAnswer]:
        return _Tries(self._upstreams, body)


@dataclass(frozen=True)
class _Refusal:
    """An answer that was read to its end to see whether to try again."""

    status: int
    upstream: str
    retry_after_seconds: float | None
    body: bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    @property
    def was_not_billed(self) -> bool:
        return not may_have_billed(self.status, self.body)

    @property
    def is_final(self) -> bool:
        return is_out_of_quota(self.body)


class _Tries:
    """One call, tried again as long as nothing can have been billed and nobody waits too long.

    The next upstream is tried at once; one that was tried already, once it asks for that.
    """

    def __init__(self, upstreams: Sequence[Upstream], body: bytes) -> None:
        self._body = body
        self._try_at = dict.fromkeys(upstreams, 0.0)
        self._open: AbstractAsyncContextManager[UpstreamAnswer] | None = None

    async def __aenter__(self) -> UpstreamAnswer:
        clock = asyncio.get_running_loop().time
        patience_ends_at = clock() + PATIENCE_SECONDS
        failure: _Refusal | NotSent
        kept: _Refusal | NotSent | None = None
        for number in range(TRIES):
            upstream = min(self._try_at, key=self._try_at.__getitem__)
            if self._try_at[upstream] > max(clock(), patience_ends_at):
                break
            await asyncio.sleep(max(0.0, self._try_at[upstream] - clock()))
            try:
                answer = await self._answer(upstream)
            except NotSent as error:
                failure, pause = error, None
            else:
                if not (isinstance(answer, _Refusal) and answer.was_not_billed):
                    return answer
                failure, pause = answer, answer.retry_after_seconds
            kept = failure if kept is None or _tells_more(failure, kept) else kept
            if isinstance(failure, _Refusal) and failure.is_final:
                del self._try_at[upstream]
                if not self._try_at:
                    break
            else:
                self._try_at[upstream] = clock() + _pause_seconds(pause, number)
        assert kept is not None
        if isinstance(kept, NotSent):
            raise kept
        return kept

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open is not None:
            await self._open.__aexit__(kind, error, trace)

    async def _answer(self, upstream: Upstream) -> UpstreamAnswer:
        """One try: an answer that goes on, or a busy upstream's refusal as a whole."""
        call = upstream.post(self._body)
        answer = await call.__aenter__()
        if answer.status not in _BUSY:
            self._open = call
            return answer
        try:
            body = b"".join([chunk async for chunk in answer.chunks()])
        finally:
            await call.__aexit__(None, None, None)
        return _Refusal(answer.status, answer.upstream, answer.retry_after_seconds, body)


def _tells_more(failure: _Refusal | NotSent, kept: _Refusal | NotSent) -> bool:
    """Whether a client is better told of this failure: what will pass says more than what won't."""
    return _promise(failure) >= _promise(kept)


def _promise(failure: _Refusal | NotSent) -> int:
    if isinstance(failure, NotSent):
        return 1
    return 0 if failure.is_final else 2


def _pause_seconds(asked_seconds: float | None, number: int) -> float:
    if asked_seconds is not None:
        return asked_seconds
    pause = _PAUSES_SECONDS[min(number, len(_PAUSES_SECONDS) - 1)]
    # So that calls refused together do not come again together; no secret hangs on it.
    return pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
