"""The ways in which ``mutations.py`` breaks the program, each with the tests that must notice."""

from dataclasses import dataclass
from typing import Final

__all__ = ["MUTATIONS", "Change", "Mutation"]


@dataclass(frozen=True)
class Change:
    """A text that occurs once in a file of the package, and what it becomes."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """``tests`` are pytest's names; ``fast``: one of the few that every submission runs."""

    name: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]
    fast: bool = False


def _one(name: str, file: str, old: str, new: str, *tests: str, fast: bool = False) -> Mutation:
    return Mutation(name, (Change(file, old, new),), tests, fast)


def _store(name: str) -> str:
    return f"tests/test_store.py::{name}"


def _call(name: str) -> str:
    return f"tests/test_completions.py::{name}"


def _day(name: str) -> str:
    return f"tests/test_daily.py::{name}"


def _pruned(name: str) -> str:
    return f"tests/test_retention.py::{name}"


_RACE_ON_POSTGRES = (
    "tests/test_ledger_race.py::"
    "test_whatever_happens_at_once_each_account_pays_what_the_upstream_billed[postgres]"
)
_CAP_RACE = (
    "tests/test_ledger_race.py::test_the_cap_of_a_course_holds_for_many_accounts_that_call_at_once"
)
_MACHINE = (
    "tests/test_ledger_machine.py::"
    "test_the_ledger_is_what_plain_arithmetic_says_whatever_is_done_to_it[sqlite]"
)
_SEND_ON = """                await relay.forward(
                    route, lambda: request.upstream_body(hold.cap_tokens, caller.pseudonym)
                )
"""
_STOP_WITH_THE_CLIENT = """                sending = asyncio.create_task(relay.forward(
                    route, lambda: request.upstream_body(hold.cap_tokens, caller.pseudonym)
                ))

                async def stop() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    sending.cancel()

                stopping = asyncio.create_task(stop())
                await asyncio.gather(sending, return_exceptions=True)
                stopping.cancel()
"""

_BUDGET: Final = (
    _one(
        "a hold is taken without a look at what is left",
        "proxy/ledger.py",
        "cap = intent.bound.affordable_cap(min(room.remaining_pico for room in rooms))",
        "cap = intent.bound.cap_tokens",
        _store(
            "test_of_320_calls_at_once_exactly_as_many_are_admitted_as_the_budget_holds[sqlite]"
        ),
        fast=True,
    ),
    _one(
        "the account is read without its lock",
        "proxy/ledger.py",
        " FOR UPDATE OF accounts, keys",
        "",
        _store("test_two_processes_on_one_database_admit_no_more_than_one_would[postgres]"),
    ),
    _one(
        "a final refusal counts what is only held",
        "proxy/refusing.py",
        "if room.unspent_pico < _needed_pico(intent):",
        "if room.remaining_pico < _needed_pico(intent):",
        _store("test_a_refusal_is_final_only_if_no_call_in_flight_could_change_it[sqlite]"),
    ),
    _one(
        "no refusal is final",
        "proxy/refusing.py",
        "if room.unspent_pico < _needed_pico(intent):",
        "if False:",
        _MACHINE,
    ),
    _one(
        "a final refusal does not say so",
        "proxy/errors.py",
        "BudgetExhausted: _Row(429, INSUFFICIENT_QUOTA, INSUFFICIENT_QUOTA, _FINAL)",
        "BudgetExhausted: _Row(429, INSUFFICIENT_QUOTA, INSUFFICIENT_QUOTA)",
        _call("test_a_race_of_many_calls_never_spends_more_than_the_budget"),
    ),
    _one(
        "the maximum that is advised does not fit",
        "proxy/refusing.py",
        "fitting = (room.remaining_pico - bound.prompt_pico) //",
        "fitting = room.remaining_pico //",
        "tests/test_limits.py::test_a_maximum_that_a_refusal_advises_fits_and_no_larger_one_does",
    ),
    _one(
        "more is taken back than is left",
        "proxy/accounts.py",
        "if account.remaining_pico + min(amount_pico, 0) < min(account.remaining_pico, 0):",
        "if False:",
        _store("test_a_grant_adds_to_the_budget_and_takes_back_only_what_is_left[sqlite]"),
    ),
    _one(
        "the cap of the course is not looked at",
        "proxy/ledger.py",
        "if standing.cap_pico is not None:",
        "if False:",
        _store("test_the_cap_of_the_course_holds_over_all_accounts_together[sqlite]"),
    ),
    _one(
        "two calls look at the course's cap at once",
        "proxy/ledger.py",
        '"SELECT cap_pico FROM course WHERE id = 1 FOR UPDATE"',
        '"SELECT cap_pico FROM course WHERE id = 1"',
        _CAP_RACE,
    ),
)

_LIMITS: Final = (
    _one(
        "a revoked key goes on working",
        "proxy/refusing.py",
        "if standing.revoked_at is not None:",
        "if False:",
        _store("test_a_key_that_died_since_it_was_looked_up_admits_nothing[sqlite]"),
        fast=True,
    ),
    _one(
        "an account that is switched off goes on working",
        "proxy/refusing.py",
        "if not standing.enabled:",
        "if False:",
        _store("test_a_key_that_died_since_it_was_looked_up_admits_nothing[sqlite]"),
    ),
    _one(
        "any number of calls at once",
        "proxy/refusing.py",
        "if standing.in_flight >= standing.in_flight_limit:",
        "if False:",
        _store("test_an_account_may_have_as_many_calls_at_once_as_its_limit_says[sqlite]"),
    ),
    _one(
        "any number of calls a minute",
        "proxy/pace.py",
        "if room < 0:",
        "if False:",
        "tests/test_limits.py::test_a_whole_minutes_calls_may_be_made_at_once_and_not_one_more",
    ),
    _one(
        "a clock that jumped locks out",
        "proxy/pace.py",
        "if not now <= full_at <= now + _MINUTE:",
        "if not now <= full_at:",
        "tests/test_limits.py::test_a_clock_that_jumped_locks_nobody_out",
    ),
)

_BOUND: Final = (
    _one(
        "the maximum that goes upstream is not ours",
        "proxy/request.py",
        "self.model.cap_field: cap_tokens,",
        "self.model.cap_field: self.stated_cap or self.model.default_cap_tokens,",
        _call("test_an_unstated_maximum_is_lowered_to_what_the_budget_affords"),
        fast=True,
    ),
    _one(
        "choices are not held for",
        "pricing.py",
        "pico_per_cap_token=choices * ",
        "pico_per_cap_token=",
        "tests/test_pricing.py::test_every_choice_is_held_for",
    ),
    _one(
        "what surrounds a message is not held for",
        "prompt.py",
        "_TOKENS_PER_MESSAGE: Final = 16",
        "_TOKENS_PER_MESSAGE: Final = 0",
        "tests/test_request.py::test_the_bound_is_that_of_the_promise",
    ),
    _one(
        "tools are not held for",
        "proxy/request.py",
        "sum(len(bytes(raw[field])) for field in others if field in raw),",
        "0,",
        "tests/test_request.py::test_tools_and_schemas_are_bounded_by_their_bytes",
    ),
)

_SETTLING: Final = (
    _one(
        "a client that leaves takes its call along",
        "proxy/completions.py",
        _SEND_ON,
        _STOP_WITH_THE_CLIENT,
        _call("test_a_client_that_leaves_pays_what_was_used"),
        fast=True,
    ),
    Mutation(
        "a client that leaves pays nothing",
        (
            Change("proxy/completions.py", _SEND_ON, _STOP_WITH_THE_CLIENT),
            Change(
                "proxy/relay.py",
                "        except UpstreamLost:\n            await self._fail",
                "        except asyncio.CancelledError:\n"
                "            self._settlement.release()\n            raise\n"
                "        except UpstreamLost:\n            await self._fail",
            ),
        ),
        (_call("test_a_client_that_leaves_pays_what_was_used"),),
    ),
    _one(
        "a 5xx without a word is taken for free",
        "proxy/refusals.py",
        "return status < 400 or not _stated_error(body)",
        "return status < 400",
        _call("test_an_upstream_that_may_have_billed_costs_the_hold_and_is_not_asked_again"),
    ),
    _one(
        "an answer that was cut is taken for free",
        "proxy/relay.py",
        "        except UpstreamLost:\n            await self._fail",
        "        except UpstreamLost:\n            self._settlement.release()\n"
        "            await self._fail",
        _call("test_a_cut_stream_ends_in_an_error_event_and_costs_the_hold"),
    ),
    _one(
        "the usage of a stream is not read",
        "proxy/relay.py",
        "        self._settlement.learn(told)\n        return",
        "        return",
        _call("test_a_stream_is_settled_and_hides_the_usage_that_nobody_asked_for"),
    ),
    _one(
        "a running count is taken for the last word",
        "proxy/settlement.py",
        "if self._usage is not None and self._usage_is_final:",
        "if self._usage is not None:",
        "tests/test_settlement.py::"
        "test_a_running_count_is_no_last_word_until_the_answer_is_complete",
    ),
    _one(
        "a database that is away loses the settlement",
        "proxy/store.py",
        "                await asyncio.sleep(pause_seconds)\n            else:",
        "                raise\n            else:",
        _store("test_a_settlement_is_tried_again_while_the_database_is_away[sqlite]"),
    ),
    _one(
        "a hold is closed twice",
        "proxy/ledger.py",
        "WHERE request_id = $1 AND state = 'held' FOR UPDATE OF ledger, accounts",
        "WHERE request_id = $1 AND kind = 'call' FOR UPDATE OF ledger, accounts",
        _store("test_a_hold_is_closed_exactly_once_whoever_tries_again[sqlite]"),
    ),
    _one(
        "a hold is read without its lock when it is closed",
        "proxy/ledger.py",
        "WHERE request_id = $1 AND state = 'held' FOR UPDATE OF ledger, accounts",
        "WHERE request_id = $1 AND state = 'held'",
        _RACE_ON_POSTGRES,
    ),
    _one(
        "what is learned late is learned twice",
        "proxy/ledger.py",
        '"AND NOT EXISTS (SELECT 1 FROM ledger known WHERE known.adjusts_id = l.id)",',
        '"",',
        _store("test_usage_that_is_learned_after_a_sweep_becomes_one_adjustment[sqlite]"),
    ),
    _one(
        "an unconfirmed call is credited twice",
        "proxy/accounts.py",
        'if (yield ask("SELECT id FROM ledger WHERE adjusts_id = $1", call["id"])):',
        "if False:",
        _store("test_an_unconfirmed_call_is_credited_once_and_a_settled_one_never[sqlite]"),
    ),
    _one(
        "a hold whose commit nobody heard of stays",
        "proxy/store.py",
        "            self._doubtful[intent.request_id] = _BEATS_IN_DOUBT\n",
        "",
        _store("test_a_hold_whose_commit_nobody_heard_of_is_withdrawn[sqlite]"),
    ),
)

_MONEY: Final = (
    _one(
        "amounts are shown by a float",
        "money.py",
        "    dollars, fraction = divmod(abs(pico), PICO_PER_USD)\n",
        "    dollars, fraction = divmod(round(float(abs(pico))), PICO_PER_USD)\n",
        "tests/test_money.py::test_an_amount_written_as_text_is_read_back_exactly",
        fast=True,
    ),
    _one(
        "what was charged is added up in floats",
        "proxy/ledger.py",
        "reserved_pico = reserved_pico - $2, spend_pico = spend_pico + $3,",
        "reserved_pico = reserved_pico - $2, "
        "spend_pico = CAST((spend_pico / 1e12 + $3 / 1e12) * 1e12 AS INTEGER),",
        _store("test_money_is_summed_exactly_where_floats_would_drift[sqlite]"),
    ),
    _one(
        "cached tokens cost the full price",
        "pricing.py",
        "+ cached * _or(rates.cached_input_pico, rates.input_pico)",
        "+ cached * rates.input_pico",
        "tests/test_pricing.py::test_cached_tokens_cost_their_own_price_or_the_full_one",
    ),
    _one(
        "the price is not frozen with the call",
        "proxy/ledger.py",
        "hold_pico, cap_tokens, intent.model.prices.frozen,",
        "hold_pico, cap_tokens, type(intent.model.prices)(1, 1).frozen,",
        _store("test_the_check_finds_a_sum_that_is_off_and_a_cost_that_is_not_its_usage[sqlite]"),
    ),
)

_PROCESSES: Final = (
    _one(
        "the dead are not swept",
        "proxy/ledger.py",
        "    for row in rows:\n        yield from close_hold(",
        "    for row in rows[:0]:\n        yield from close_hold(",
        _store("test_the_holds_of_a_dead_owner_are_charged_and_those_of_a_living_one_stay[sqlite]"),
        fast=True,
    ),
    _one(
        "the holds of the dead are given back",
        "proxy/ledger.py",
        'Outcome("unconfirmed", row["hold_pico"], doubt=Doubt.PROXY_DIED)',
        'Outcome("released", 0)',
        _store("test_the_holds_of_a_dead_owner_are_charged_and_those_of_a_living_one_stay[sqlite]"),
    ),
    _one(
        "the living are swept, on SQLite",
        "proxy/sqlite.py",
        "        except Timeout:\n            return False\n        return True",
        "        except Timeout:\n            return True\n        return True",
        _store("test_the_holds_of_a_dead_owner_are_charged_and_those_of_a_living_one_stay[sqlite]"),
    ),
    _one(
        "the living are swept, on PostgreSQL",
        "proxy/postgres.py",
        "WHERE l.state = 'held' AND p.owner IS NULL",
        "WHERE l.state = 'held'",
        _store(
            "test_the_holds_of_a_dead_owner_are_charged_and_those_of_a_living_one_stay[postgres]"
        ),
    ),
    _one(
        "a lease that looks run out once is believed",
        "proxy/postgres.py",
        "_BEATS_UNTIL_DEAD: Final = 3",
        "_BEATS_UNTIL_DEAD: Final = 1",
        _store("test_a_lease_that_looks_run_out_after_a_jump_of_the_clock_sweeps_nobody"),
    ),
    _one(
        "a lease that is renewed meanwhile is ended",
        "proxy/postgres.py",
        "return seen if known == until else 0",
        "return seen",
        _store("test_a_lease_that_looks_run_out_after_a_jump_of_the_clock_sweeps_nobody"),
    ),
    _one(
        "a process without its lease takes holds",
        "proxy/refusing.py",
        "if not standing.owner_lives:",
        "if False:",
        _store(
            "test_a_process_that_does_not_renew_its_lease_is_dead_and_admits_nothing_until_it_knows"
        ),
    ),
)

_SQLITE: Final = (
    _one(
        "an error in one work undoes its neighbours",
        "proxy/commits.py",
        "self._waiting[:0] = [*group[:number], *group[number + 1 :]]",
        "for other in group:\n                    _deliver(other.result, _told(error))",
        _store("test_an_error_in_one_of_many_works_undoes_that_one_alone[sqlite]"),
    ),
    _one(
        "an error in a work keeps what it had written",
        "proxy/commits.py",
        "if self._connection.total_changes == before and not undone:",
        "if not undone:",
        _store("test_an_error_in_one_of_many_works_undoes_that_one_alone[sqlite]"),
    ),
    _one(
        "what SQLite undid itself is written on by halves",
        "proxy/commits.py",
        "if self._connection.total_changes == before and not undone:",
        "if self._connection.total_changes == before:",
        _store("test_what_follows_in_a_group_that_sqlite_undid_is_not_written_by_halves"),
    ),
    _one(
        "calls that fail call each other",
        "proxy/commits.py",
        "self._loop.call_soon(self._go_on)",
        "self._go_on()",
        _store("test_on_a_full_disk_many_calls_are_refused_and_the_books_add_up"),
    ),
    _one(
        "a call is answered before its commit",
        "proxy/commits.py",
        "        self._thread.do(self._commit, ",
        "        self._finished(group, answers)\n        self._thread.do(self._commit, ",
        _store("test_what_was_acknowledged_is_committed[sqlite]"),
    ),
)

_DAYS: Final = (
    _one(
        "a row that is committed late is jumped over by the sums",
        "proxy/postgres.py",
        "if await self.read(_oldest_transaction) >= mark.transaction:",
        "if True:",
        _day("test_a_row_that_is_committed_after_younger_ones_is_waited_for"),
    ),
    _one(
        "a held call is summed up before its cost is known",
        "proxy/daily.py",
        "min(complete_to_id, held_id - 1)",
        "complete_to_id",
        _day("test_what_is_still_held_is_counted_when_it_is_closed_and_holds_back_what_came_after"),
    ),
    _one(
        "two processes sum up the same rows",
        "proxy/daily.py",
        '"FROM course FOR UPDATE"',
        '"FROM course"',
        _day("test_many_processes_that_sum_up_at_once_while_calls_run_count_each_row_once"),
    ),
    _one(
        "what is pruned stays in the sums",
        "proxy/retention.py",
        'yield from _take_out("daily"',
        'yield from () and _take_out("daily"',
        _pruned("test_what_is_older_than_the_setting_becomes_one_row_per_account"),
    ),
    _one(
        "two processes prune the same rows",
        "proxy/retention.py",
        "WHERE id = $1 FOR UPDATE",
        "WHERE id = $1",
        _pruned("test_many_calls_are_pruned_by_several_processes_at_once"),
    ),
)

MUTATIONS: Final = (
    *_BUDGET, *_LIMITS, *_BOUND, *_SETTLING, *_MONEY, *_PROCESSES, *_SQLITE, *_DAYS
)  # fmt: skip
