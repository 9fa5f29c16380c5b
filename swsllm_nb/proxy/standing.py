"""How an account stands: what it is, what is left of its budget, what decides about its calls."""

import json
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from swsllm_nb.proxy.work import Row

__all__ = [
    "ACCOUNT",
    "BALANCE",
    "Account",
    "Balance",
    "Standing",
    "account_of_row",
    "allowed_models",
]

BALANCE: Final = "budget_pico, spend_pico, reserved_pico, in_flight"
"""The columns of a balance, in its order."""

_COLUMNS: Final = (
    "id", "name", "enabled", "budget_pico", "spend_pico", "reserved_pico", "in_flight",
    "in_flight_limit", "per_minute_limit", "valid_from", "valid_until", "allowed_models",
    "created_at", "deleted_at", "full_name", "email", "password_is_initial", "language",
)  # fmt: skip

ACCOUNT: Final = ", ".join(f"accounts.{column}" for column in _COLUMNS)
"""The columns of an account."""


class Balance(NamedTuple):
    """How a budget stands, in pico-dollars, and how many calls are running."""

    budget_pico: int
    spend_pico: int
    reserved_pico: int
    in_flight: int

    @property
    def remaining_pico(self) -> int:
        return self.budget_pico - self.spend_pico - self.reserved_pico

    def after(self, hold_pico: int, charged_pico: int) -> Self:
        """The balance once a call of this hold has ended."""
        return self._replace(
            spend_pico=self.spend_pico + charged_pico,
            reserved_pico=self.reserved_pico - hold_pico,
            in_flight=self.in_flight - 1,
        )


class Standing(NamedTuple):
    """All that decides about a call, as it is in the transaction that decides."""

    budget_pico: int
    spend_pico: int
    reserved_pico: int
    in_flight: int
    in_flight_limit: int
    per_minute_limit: int
    paced_until_micros: int | None
    enabled: int
    valid_from: str | None
    valid_until: str | None
    allowed_models: str | None
    revoked_at: str | None
    cap_pico: int | None
    now: str
    now_micros: int
    owner_lives: bool


@dataclass(frozen=True, kw_only=True)
class Account:
    """Who pays, how the budget stands in pico-dollars, and what is allowed.

    It is valid from ``valid_from`` to before ``valid_until`` (None: always). ``allowed_models``
    None means every model of the catalogue.
    """

    id: int
    name: str
    enabled: bool
    budget_pico: int
    spend_pico: int
    reserved_pico: int
    in_flight: int
    in_flight_limit: int
    per_minute_limit: int
    valid_from: str | None
    valid_until: str | None
    allowed_models: tuple[str, ...] | None
    created_at: str
    deleted_at: str | None
    full_name: str
    email: str
    password_is_initial: bool
    language: str | None

    @property
    def remaining_pico(self) -> int:
        return self.budget_pico - self.spend_pico - self.reserved_pico


def account_of_row(row: Row) -> Account:
    values = {column: row[column] for column in _COLUMNS}
    for flag in ("enabled", "password_is_initial"):
        values[flag] = bool(values[flag])
    values["allowed_models"] = allowed_models(values["allowed_models"])
    return Account(**values)


def allowed_models(text: str | None) -> tuple[str, ...] | None:
    """The models that an account may use, as the database keeps them; None for all."""
    return None if text is None else tuple(json.loads(text))
