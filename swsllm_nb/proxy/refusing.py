"""Which calls an account may not make, and in what words it is told so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from swsllm_nb.money import show_cost, show_left
from swsllm_nb.proxy.errors import (
    BudgetExhausted,
    BudgetReserved,
    NotAllowed,
    StoreUnavailable,
    TooManyCalls,
    Unauthenticated,
)
from swsllm_nb.proxy.standing import Standing, allowed_models

if TYPE_CHECKING:
    from swsllm_nb.proxy.ledger import Intent

__all__ = [
    "Room",
    "check_admitted",
    "check_calls_at_once",
    "check_unspent",
    "reserved",
]

RETRY_RESERVED_SECONDS = 10
RETRY_AT_ONCE_SECONDS = 2


@dataclass(frozen=True)
class Room:
    """A limit on money: an account's budget, or the cap of the whole course."""

    whose: str
    limit_pico: int
    spend_pico: int
    reserved_pico: int

    @classmethod
    def of_account(cls, standing: Standing) -> Self:
        return cls("Your budget", standing.budget_pico, standing.spend_pico, standing.reserved_pico)

    @classmethod
    def of_course(cls, cap_pico: int, spend_pico: int, reserved_pico: int) -> Self:
        return cls("The budget of the whole course", cap_pico, spend_pico, reserved_pico)

    @property
    def unspent_pico(self) -> int:
        return self.limit_pico - self.spend_pico

    @property
    def remaining_pico(self) -> int:
        return self.unspent_pico - self.reserved_pico

    @property
    def left(self) -> str:
        return f"{show_left(max(self.remaining_pico, 0))} of {show_left(self.limit_pico)} is left"


def check_admitted(standing: Standing, model_id: str) -> None:
    """Raises StoreUnavailable, Unauthenticated or NotAllowed for what no money could change."""
    if not standing.owner_lives:
        raise StoreUnavailable(
            "The proxy has lost its place in the database. Try again in a moment."
        )
    if standing.revoked_at is not None:
        raise Unauthenticated("This API key is no longer valid. Copy the current one and use it.")
    if not standing.enabled:
        raise Unauthenticated("This account is switched off. Please ask the teaching staff.")
    if standing.valid_from is not None and standing.now < standing.valid_from:
        raise NotAllowed(f"This account can be used from {standing.valid_from} on.")
    if standing.valid_until is not None and standing.now >= standing.valid_until:
        raise NotAllowed(
            f"This account could be used until {standing.valid_until}. "
            "Please ask the teaching staff if you need it longer."
        )
    allowed = allowed_models(standing.allowed_models)
    if allowed is not None and model_id not in allowed:
        raise NotAllowed(
            f"This account may not use {model_id}; it may use "
            f"{', '.join(allowed) or 'no model at all'}.",
            param="model",
        )


def check_unspent(rooms: Sequence[Room], intent: "Intent") -> None:
    """Raises BudgetExhausted where not even the end of all calls in flight would help."""
    for room in rooms:
        if room.unspent_pico < _needed_pico(intent):
            raise BudgetExhausted(
                f"{room.whose} does not cover this call: {room.left}, and {_could_cost(intent)}. "
                f"{_advice(_tightest(rooms), intent)}"
            )


def check_calls_at_once(standing: Standing) -> None:
    """Raises TooManyCalls where as many calls as allowed are still running."""
    if standing.in_flight >= standing.in_flight_limit:
        raise TooManyCalls(
            f"{standing.in_flight} of your calls are still running, and {standing.in_flight_limit} "
            "may run at once. Wait until one is done and try again.",
            retry_after_seconds=RETRY_AT_ONCE_SECONDS,
        )


def reserved(rooms: Sequence[Room], intent: "Intent") -> BudgetReserved:
    """What to raise where only the calls in flight stand in the way."""
    room = _tightest(rooms)
    return BudgetReserved(
        f"{room.whose} does not cover this call right now: {room.left}, "
        f"{show_cost(room.reserved_pico)} is held for calls that are still running, and "
        f"{_could_cost(intent)}. Wait until they are done and try again.",
        retry_after_seconds=RETRY_RESERVED_SECONDS,
    )


def _advice(room: Room, intent: "Intent") -> str:
    bound = intent.bound
    # An answer may be free, as that of a server of one's own.
    fitting = (room.remaining_pico - bound.prompt_pico) // max(1, bound.pico_per_cap_token)
    if fitting > 0:
        return (
            f"With {intent.model.cap_field} = {fitting} it would fit. "
            "For more budget ask the teaching staff."
        )
    return "Please ask the teaching staff for more budget."


def _could_cost(intent: "Intent") -> str:
    return f"this call could cost up to {show_cost(_needed_pico(intent))}"


def _needed_pico(intent: "Intent") -> int:
    return intent.bound.hold_pico(intent.bound.floor_cap_tokens)


def _tightest(rooms: Sequence[Room]) -> Room:
    return min(rooms, key=lambda room: room.remaining_pico)
