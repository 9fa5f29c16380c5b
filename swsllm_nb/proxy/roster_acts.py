"""Importing a roster: what each line would do, and doing it; the office's method for it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from swsllm_nb.proxy import accounts, words
from swsllm_nb.proxy.account_acts import kept_key, new_account
from swsllm_nb.proxy.acts import BATCH, Acts, Credentials
from swsllm_nb.proxy.audit import note
from swsllm_nb.proxy.auth import hash_initial_password, new_key, new_password
from swsllm_nb.proxy.course import Course, course
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.roster import RosterEntry, read_roster
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.work import Work

__all__ = ["Outcome", "RosterActs", "RosterLine", "RosterReport"]

Outcome = Literal["added", "kept", "changed", "refused"]


@dataclass(frozen=True)
class RosterLine:
    """What a line of a roster does or did to the course, and in words why where that is refused."""

    line: int
    name: str
    outcome: Outcome
    sentence: str | None = None
    full_name: str = ""
    email: str = ""
    budget_pico: int | None = None
    credentials: Credentials | None = None


@dataclass(frozen=True)
class RosterReport:
    """All lines of a roster; ``encoding`` and ``ignored_columns`` tell how the file was read."""

    encoding: str
    ignored_columns: tuple[str, ...]
    lines: tuple[RosterLine, ...]

    def count(self, outcome: Outcome) -> int:
        return sum(line.outcome == outcome for line in self.lines)

    @property
    def credentials(self) -> list[Credentials]:
        """Of the accounts that were added."""
        return [line.credentials for line in self.lines if line.credentials]


class RosterActs(Acts):
    """Many accounts from a file; a second import of it adds and grants nothing."""

    async def import_roster(
        self, data: bytes, *, dry_run: bool, budget_usd: str | None = None
    ) -> RosterReport:
        """Add whoever is new, correct names and e-mails of the others, and tell it line by line.

        The budget is the line's own, else ``budget_usd``, else the course's, and only for new
        accounts. Raises ValueError, in a sentence, where the file is no roster or new accounts had
        no budget; then nothing was done.
        """
        roster = await asyncio.to_thread(read_roster, data)
        described = await self.store.read(course)
        budget_pico = described.default_budget_pico
        if budget_usd is not None:
            budget_pico = words.budget_pico(budget_usd)
        known = {account.name.casefold(): account for account in await self.store.accounts()}
        plan = [_planned(entry, known, budget_pico) for entry in roster.entries]
        budgets_pico = [line.budget_pico or 0 for line in plan if line.outcome == "added"]
        await self.store.read(lambda: accounts.check_sum(sum(budgets_pico)))
        if not dry_run:
            plan = await self._carry_out(plan, described)
        return RosterReport(roster.encoding, roster.ignored_columns, tuple(plan))

    async def _carry_out(self, plan: Sequence[RosterLine], described: Course) -> list[RosterLine]:
        done: list[RosterLine] = []
        try:
            for first in range(0, len(plan), BATCH):
                if self.stopped():
                    raise ValueError("It was stopped.")
                batch = await self._batch(plan[first : first + BATCH], described)
                done += batch
                self.made([line.credentials for line in batch if line.credentials])
                self.progress(len(batch))
        except (StoreUnavailable, ValueError) as error:
            # Those that were added are told all the same: nobody else knows their passwords.
            away = f"{error} Import the roster again: what was done is then kept."
            done += [
                _refused(line, away) if line.outcome in ("added", "changed") else line
                for line in plan[len(done) :]
            ]
        return done

    async def _batch(self, batch: Sequence[RosterLine], described: Course) -> list[RosterLine]:
        if all(line.outcome in ("kept", "refused") for line in batch):
            return list(batch)
        passwords = [new_password() for _ in batch]
        hashes = await asyncio.to_thread(lambda: [*map(hash_initial_password, passwords)])
        budgets_pico = [line.budget_pico or 0 for line in batch if line.outcome == "added"]

        def act() -> Work[list[RosterLine]]:
            yield from accounts.check_sum(sum(budgets_pico))
            done = []
            for line, password, password_hash in zip(batch, passwords, hashes, strict=True):
                done.append((yield from self._line(line, described, password, password_hash)))
            return done

        return await self.store.write(act)

    def _line(
        self, line: RosterLine, described: Course, password: str, password_hash: str
    ) -> Work[RosterLine]:
        person = accounts.Person(line.full_name, line.email)
        try:
            if line.outcome == "added":
                key = kept_key(new_key(), self.secret)
                new = new_account(
                    described, line.name, line.budget_pico, password_hash, key, person
                )
                account = yield from accounts.insert_account(new, self.author)
                yield from note(self.author, "add_account", account.id, roster_line=line.line)
                return replace(line, credentials=Credentials(account, password))
            if line.outcome == "changed":
                stated = {"full_name": line.full_name, "email": line.email}
                account = yield from accounts.edit(line.name, **stated)
                yield from note(self.author, "edit", account.id, roster_line=line.line, **stated)
        except ValueError as error:
            return _refused(line, str(error))
        return line


def _planned(
    entry: RosterEntry, known: Mapping[str, Account], budget_pico: int | None
) -> RosterLine:
    if entry.refused:
        return RosterLine(entry.line, entry.name, "refused", entry.refused)
    account = known.get(entry.name.casefold())
    person = entry.person
    if account is None:
        budget_pico = budget_pico if entry.budget_pico is None else entry.budget_pico
        if budget_pico is None:
            raise ValueError(
                f"There is no budget for {entry.name!r} (line {entry.line}): state one for all "
                "that are new, or set the course's default budget."
            )
        return RosterLine(
            entry.line, entry.name, "added", None, person.full_name, person.email, budget_pico
        )
    full_name, email = person.full_name or account.full_name, person.email or account.email
    same = (full_name, email) == (account.full_name, account.email)
    return RosterLine(
        entry.line, account.name, "kept" if same else "changed", None, full_name, email,
        account.budget_pico,
    )  # fmt: skip


def _refused(line: RosterLine, sentence: str) -> RosterLine:
    return replace(line, outcome="refused", sentence=sentence)
