"""Whatever is done to the ledger, in any order: it is what a page of plain arithmetic says.

Hypothesis makes up the acts: calls through two processes, staff, processes that die. ``Purse`` and
``Machine._refusal`` are DESIGN's promises in integers, ``books_agree`` compares after every act.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from office import DIED, Office, new_account, office, priced_intent
from stores import set_cap

from swsllm_nb import pricing
from swsllm_nb.pricing import Bound, Prices
from swsllm_nb.proxy import accounts
from swsllm_nb.proxy.accounts import Limits
from swsllm_nb.proxy.errors import (
    BudgetExhausted,
    BudgetReserved,
    NotAllowed,
    ProxyError,
    TooManyCalls,
    Unauthenticated,
)
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.ledger import Hold, Intent, Outcome
from swsllm_nb.proxy.store import KeyHolder, Store
from swsllm_nb.wire import Usage

__all__ = ["office"]

CALM: Final = settings(
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=40,
    stateful_step_count=30,
    # To make a failure shorter takes minutes with real databases; the same one comes again anyway.
    phases=(Phase.generate,),
)
THOROUGH: Final = settings(CALM, max_examples=70, stateful_step_count=50)

MOST_ACCOUNTS: Final = 4
ACTS: Final = ["rename", "disable", "enable", "enable", "rename", "revoke", "delete"]
FAR_PAST: Final = "2001-01-01T00:00:00.000000Z"
FAR_FUTURE: Final = "2099-01-01T00:00:00.000000Z"
ADVICE: Final = re.compile(r"With max_\w+ = (\d+) it would fit")


@dataclass(eq=False)
class Purse:
    """What an account is, in the model."""

    id: int
    name: str
    budget: int
    keys: list[KeyHolder]
    spend: int = 0
    reserved: int = 0
    in_flight: int = 0
    in_flight_limit: int = 1000
    per_minute: int = 100_000
    calls_this_minute: int = 0
    enabled: bool = True
    deleted: bool = False
    key_lives: bool = True
    outside: bool = False

    @property
    def unspent(self) -> int:
        return self.budget - self.spend

    @property
    def left(self) -> int:
        return self.unspent - self.reserved


@dataclass(eq=False)
class Call:
    """What a call is, in the model. Its ``amount`` stays; ``adjusted`` says it was corrected."""

    purse: Purse
    hold: Hold
    prompt_tokens: int
    through: int
    state: str = "held"
    amount: int = 0
    adjusted: bool = False

    def usage(self, percent: int) -> Usage:
        prompt = self.prompt_tokens * min(percent, 100) // 100
        return Usage(prompt, self.hold.cap_tokens * percent // 100, prompt * percent % (prompt + 1))

    def close(self, state: str, amount: int) -> None:
        if self.state == "held":
            self.state, self.amount = state, amount
            self.purse.reserved -= self.hold.hold_pico
            self.purse.in_flight -= 1
            self.purse.spend += amount
        elif self.state == "unconfirmed" and state != "unconfirmed":
            self.adjust(amount)

    def adjust(self, amount: int) -> None:
        if not self.adjusted:
            self.purse.spend += amount - self.amount
            self.adjusted = True


@dataclass
class Course:
    """All accounts together, in the model."""

    purses: list[Purse] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    cap: int | None = None

    @property
    def unspent(self) -> int | None:
        return None if self.cap is None else self.cap - sum(purse.spend for purse in self.purses)

    @property
    def left(self) -> int | None:
        unspent = self.unspent
        return None if unspent is None else unspent - sum(purse.reserved for purse in self.purses)


@dataclass(frozen=True)
class Asked:
    """What a call brings: its prompt, the model's prices, and how long the answer may be."""

    prompt_tokens: int
    prices: Prices
    cap: int

    def bound(self, floor: int) -> Bound:
        prompt_pico = self.prompt_tokens * self.prices.dearest_input_pico
        return Bound(prompt_pico, self.prices.output_pico, self.cap, floor)


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    pico = st.integers(0, 9)
    prices = Prices(
        input_pico=draw(pico), output_pico=draw(pico), cached_input_pico=draw(st.none() | pico)
    )
    return Asked(draw(st.integers(0, 40)), prices, draw(st.integers(1, 60)))


async def _held_or_refused(store: Store, intent: Intent) -> Hold | ProxyError:
    try:
        return await store.reserve(intent)
    except ProxyError as refused:
        return refused


WHICH = st.integers(0, 1)


class Machine(RuleBasedStateMachine):
    """Hypothesis's hand on an office and on the model of it."""

    purses = Bundle("purses")
    calls = Bundle("calls")

    def __init__(self, office: Office) -> None:
        super().__init__()
        self.office = office
        self.office.empty()
        self.course = Course()
        self.number = 0

    def staff(self, purse: Purse, work: Any) -> bool:
        """Let staff act on an account; whether they could: a deleted one has lost its name."""
        if purse.deleted:
            with pytest.raises(ValueError, match="There is no account"):
                self.office.do(self.office.stores[0].write(work))
            return False
        self.office.do(self.office.stores[0].write(work))
        return True

    # Calls

    @initialize(target=purses, budgets=st.lists(st.integers(0, 1500), min_size=1, max_size=3))
    def add_accounts(self, budgets: list[int]) -> Any:
        return multiple(*map(self._add_account, budgets))

    @precondition(lambda self: len(self.course.purses) < MOST_ACCOUNTS)
    @rule(target=purses, budget=st.integers(0, 1500))
    def add_another_account(self, budget: int) -> Purse:
        return self._add_account(budget)

    def _add_account(self, budget: int) -> Purse:
        self.number += 1
        name = f"student {self.number}"
        holder = self.office.do(new_account(self.office.stores[0], name, budget))
        purse = Purse(holder.account.id, name, budget, [holder])
        self.course.purses.append(purse)
        return purse

    @rule(target=calls, purse=purses, through=WHICH, asked=asked(), times=st.integers(1, 3))
    def call_with_a_stated_maximum(
        self, purse: Purse, through: int, asked: Asked, times: int
    ) -> Any:
        return self._calls(purse, -1, through, asked, asked.bound(asked.cap), times)

    @rule(
        target=calls,
        purse=purses,
        which_key=st.sampled_from([-1, -1, -2, 0]),
        through=WHICH,
        asked=asked(),
        floor=st.integers(1, 60),
        times=st.integers(1, 3),
    )
    def call_with_none(
        self, purse: Purse, which_key: int, through: int, asked: Asked, floor: int, times: int
    ) -> Any:
        bound = asked.bound(min(floor, asked.cap))
        return self._calls(purse, which_key, through, asked, bound, times)

    def _calls(
        self, purse: Purse, which_key: int, through: int, asked: Asked, bound: Bound, times: int
    ) -> Any:
        known = len(self.course.calls)
        for _ in range(times):
            got = self._attempt(purse, which_key, through, asked, bound)
            if isinstance(got, BudgetExhausted) and (advised := ADVICE.search(str(got))):
                # What a refusal advises is true.
                tokens = int(advised[1])
                assert 0 < tokens < bound.floor_cap_tokens
                less = replace(bound, cap_tokens=tokens, floor_cap_tokens=tokens)
                got = self._attempt(purse, -1, through, asked, less)
                assert not isinstance(got, (BudgetExhausted, BudgetReserved))
        return multiple(*self.course.calls[known:])

    def _attempt(
        self, purse: Purse, which_key: int, through: int, asked: Asked, bound: Bound
    ) -> Hold | ProxyError:
        self.number += 1
        holder = purse.keys[max(which_key, -len(purse.keys))]
        expected = self._refusal(purse, holder, bound)
        intent = priced_intent(holder, self.number, asked.prices, bound)
        got = self.office.do(_held_or_refused(self.office.stores[through], intent))
        if not isinstance(got, Hold):
            assert type(got) is expected, got
            return got
        assert expected is None
        left = min(room for room in (purse.left, self.course.left) if room is not None)
        assert got.hold_pico == bound.hold_pico(got.cap_tokens) <= left
        assert bound.floor_cap_tokens <= got.cap_tokens <= bound.cap_tokens
        assert got.cap_tokens == bound.cap_tokens or bound.hold_pico(got.cap_tokens + 1) > left
        purse.reserved += got.hold_pico
        purse.in_flight += 1
        purse.calls_this_minute += 1
        self.course.calls.append(Call(purse, got, asked.prompt_tokens, through))
        return got

    def _refusal(self, purse: Purse, holder: KeyHolder, bound: Bound) -> type[ProxyError] | None:
        """What a call must be told, by DESIGN; None where it must be admitted."""
        needed = bound.hold_pico(bound.floor_cap_tokens)
        unspent, left = self.course.unspent, self.course.left
        if not purse.enabled or not purse.key_lives or holder is not purse.keys[-1]:
            return Unauthenticated
        if purse.outside:
            return NotAllowed
        if purse.unspent < needed or (unspent is not None and unspent < needed):
            return BudgetExhausted
        if purse.in_flight >= purse.in_flight_limit:
            return TooManyCalls
        if purse.calls_this_minute >= purse.per_minute:
            return TooManyCalls
        if purse.left < needed or (left is not None and left < needed):
            return BudgetReserved
        return None

    @rule(call=calls, through=WHICH, percent=st.sampled_from([100, 100, 0, 40, 99, 250]))
    def settle(self, call: Call, through: int, percent: int) -> None:
        """With what the bound allows; or, at 250 %, with an upstream that broke it."""
        usage = call.usage(percent)
        charged = pricing.cost(call.hold.prices, usage)
        assert charged <= call.hold.hold_pico or percent > 100
        self._close(call, through, Outcome("settled", charged, usage))

    @rule(call=calls, through=WHICH)
    def release(self, call: Call, through: int) -> None:
        self._close(call, through, Outcome("released", 0))

    @rule(call=calls, through=WHICH)
    def leave_unconfirmed(self, call: Call, through: int) -> None:
        self._close(call, through, Outcome("unconfirmed", call.hold.hold_pico))

    def _close(self, call: Call, through: int, outcome: Outcome) -> None:
        """For the first time or again."""
        call.close(outcome.state, outcome.charged_pico)
        balance = self.office.do(self.office.stores[through].close_hold(call.hold, outcome))
        purse = call.purse
        assert balance == (purse.budget, purse.spend, purse.reserved, purse.in_flight)

    # Processes

    @rule(call=calls, through=WHICH)
    def sweep_after_its_process_died(self, call: Call, through: int) -> None:
        self.office.execute(DIED, call.hold.request_id)
        self.office.sweep(self.office.stores[through])
        if call.state == "held":
            call.close("unconfirmed", call.hold.hold_pico)

    @precondition(lambda self: any(call.state == "held" for call in self.course.calls))
    @rule(through=WHICH)
    def sweep_while_all_live(self, through: int) -> None:
        self.office.sweep(self.office.stores[through])

    @precondition(lambda self: self.course.calls)
    @rule(through=WHICH)
    def sum_up_by_day(self, through: int) -> None:
        self.office.do(self.office.stores[through].sum_up())

    @precondition(lambda self: self.course.calls)
    @rule(which=WHICH)
    def restart(self, which: int) -> None:
        self.office.restart(which)
        for call in self.course.calls:
            if call.state == "held" and call.through == which:
                call.close("unconfirmed", call.hold.hold_pico)

    # Staff

    @rule(purse=purses, amount=st.integers(-600, 900))
    def grant(self, purse: Purse, amount: int) -> None:
        def granting() -> Any:
            return accounts.grant(purse.name, amount, "a reason", "a test")

        if amount < 0 and -amount > max(purse.left, 0) and not purse.deleted:
            with pytest.raises(ValueError, match="cannot be taken back"):
                self.office.do(self.office.stores[0].write(granting))
        elif self.staff(purse, granting):
            purse.budget += amount

    @rule(call=calls)
    def credit(self, call: Call) -> None:
        def crediting() -> Any:
            return accounts.credit(call.hold.request_id, "the server fell over", "a test")

        if call.state == "unconfirmed" and not call.adjusted:
            call.adjust(0)
            self.office.do(self.office.stores[1].write(crediting))
        else:
            with pytest.raises(ValueError, match=r"already|only unconfirmed"):
                self.office.do(self.office.stores[1].write(crediting))

    @rule(purse=purses)
    def renew_key(self, purse: Purse) -> None:
        self.number += 1
        key = NewKey(f"key {self.number}".encode(), "sws-5678")
        if self.staff(purse, lambda: accounts.new_key(purse.name, key)):
            rows = self.office.execute("SELECT id FROM keys WHERE hash = $1", key.hash)
            purse.keys.append(KeyHolder(rows[0]["id"], purse.keys[0].account))
            purse.key_lives = True

    @rule(purse=purses, act=st.sampled_from(ACTS))
    def keep_the_list_of_students(self, purse: Purse, act: str) -> None:
        self.number += 1
        new_name = f"student {self.number}"
        acts: dict[str, Any] = {
            "revoke": lambda: accounts.revoke_keys(purse.name),
            "disable": lambda: accounts.set_enabled(purse.name, False),
            "enable": lambda: accounts.set_enabled(purse.name, True),
            "rename": lambda: accounts.edit(purse.name, new_name=new_name),
            "delete": lambda: accounts.delete_account(purse.name),
        }
        if self.staff(purse, acts[act]):
            purse.key_lives = purse.key_lives and act != "revoke"
            purse.enabled = act == "enable" or (purse.enabled and act not in ("disable", "delete"))
            purse.name = new_name if act == "rename" else purse.name
            purse.deleted = act == "delete"

    @rule(purse=purses, outside=st.sampled_from(["", "", "valid_from", "valid_until", "models"]))
    def set_who_may_what_and_when(self, purse: Purse, outside: str) -> None:
        own = purse.keys[0].account.allowed_models
        assert own is None
        limits = Limits(
            valid_from=FAR_FUTURE if outside == "valid_from" else FAR_PAST,
            valid_until=FAR_PAST if outside == "valid_until" else "",
            allowed_models=("o3-mini-2025-01-31",) if outside == "models" else "",
        )
        if self.staff(purse, lambda: accounts.set_limits(purse.name, limits)):
            purse.outside = outside != ""

    @rule(purse=purses, in_flight=st.integers(1, 4))
    def set_calls_at_once(self, purse: Purse, in_flight: int) -> None:
        limits = Limits(in_flight=in_flight)
        if self.staff(purse, lambda: accounts.set_limits(purse.name, limits)):
            purse.in_flight_limit = in_flight

    @rule(
        purse=purses,
        per_minute=st.sampled_from([1, 3, 100_000]),
        clock=st.sampled_from([None, 0, 2**52]),
    )
    def set_calls_a_minute_and_let_the_clock_jump(
        self, purse: Purse, per_minute: int, clock: int | None
    ) -> None:
        limits = Limits(per_minute=per_minute)
        if self.staff(purse, lambda: accounts.set_limits(purse.name, limits)):
            jump = "UPDATE accounts SET paced_until_micros = $1 WHERE id = $2"
            self.office.execute(jump, clock, purse.id)
            purse.per_minute = per_minute
            purse.calls_this_minute = 0

    @rule(cap=st.none() | st.integers(0, 3000))
    def set_the_cap_of_the_course(self, cap: int | None) -> None:
        self.office.do(set_cap(self.office.stores[1], cap))
        self.course.cap = cap

    # What must hold after each of them

    @invariant()
    def books_agree(self) -> None:
        books = self.office.books()
        assert books.check.adds_up, books.check
        assert {account.id for account in books.accounts.values()} == {
            purse.id for purse in self.course.purses
        }
        for purse in self.course.purses:
            account = books.accounts[purse.id]
            assert (
                account.budget_pico,
                account.spend_pico,
                account.reserved_pico,
                account.in_flight,
                account.enabled,
            ) == (purse.budget, purse.spend, purse.reserved, purse.in_flight, purse.enabled)
        assert {
            request_id: (row["account_id"], row["state"], row["amount_pico"], row["hold_pico"])
            for request_id, row in books.calls.items()
        } == {
            call.hold.request_id: (call.purse.id, call.state, call.amount, call.hold.hold_pico)
            for call in self.course.calls
        }


def test_the_ledger_is_what_plain_arithmetic_says_whatever_is_done_to_it(office: Office) -> None:
    run_state_machine_as_test(lambda: Machine(office), settings=CALM)


@pytest.mark.slow
def test_the_ledger_is_what_plain_arithmetic_says_for_longer(office: Office) -> None:
    run_state_machine_as_test(lambda: Machine(office), settings=THOROUGH)
