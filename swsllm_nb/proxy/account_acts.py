"""What staff do to students' accounts; the methods of the office that concern them."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from swsllm_nb.money import usd_text
from swsllm_nb.proxy import accounts, audit, own, words
from swsllm_nb.proxy.accounts import Limits, NewAccount, Person
from swsllm_nb.proxy.acts import BATCH, Acts, Credentials, Done
from swsllm_nb.proxy.audit import note
from swsllm_nb.proxy.auth import Secret, hash_initial_password, new_key, new_password, shown_prefix
from swsllm_nb.proxy.course import Course, course
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.models import check_seen
from swsllm_nb.proxy.personal import personal_record
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.work import Work

__all__ = ["AccountActs", "kept_key", "new_account"]


class AccountActs(Acts):
    """One account, or a selection of which one that cannot does not stop the others."""

    async def add_account(
        self, name: str, budget_usd: str | None = None, *, full_name: str = "", email: str = ""
    ) -> Credentials:
        """Add an account with a first grant, by default the course's."""
        person = Person(words.line_of_text(full_name, "a full name"), words.usable_email(email))
        usable = words.usable_name(name)
        budget_pico = None if budget_usd is None else words.budget_pico(budget_usd)
        password, key = new_password(), new_key()
        password_hash = await asyncio.to_thread(hash_initial_password, password)
        kept = kept_key(key, self.secret)

        def act(name: str) -> Work[Account]:
            new = new_account((yield from course()), name, budget_pico, password_hash, kept, person)
            return (yield from accounts.add_account(new, self.author))

        account = await self._one(usable, "add_account", act)
        return Credentials(account, password, key)

    async def account(self, name: str) -> Account:
        return await self.store.read(lambda: accounts.named(name))

    async def accounts(self) -> list[Account]:
        return await self.store.accounts()

    async def personal_record(self, name: str) -> dict[str, Any]:
        """All that is kept of one student, to be handed to them; see ``personal``."""
        account = await self.account(name)
        await self.note_export("export_record", account.id)
        return await self.store.read(partial(personal_record, account.name))

    async def edit(
        self,
        name: str,
        seen: Mapping[str, str] | None = None,
        /,
        *,
        new_name: str | None = None,
        full_name: str | None = None,
        email: str | None = None,
    ) -> Account:
        """Change what an account is called, and whose it is; None leaves it, "" forgets it.

        What is not as it was ``seen`` (by name, full_name, email) is refused, unless it is already
        as told.
        """
        changes = {}
        if new_name is not None:
            changes["new_name"] = words.usable_name(new_name)
        if full_name is not None:
            changes["full_name"] = words.line_of_text(full_name, "a full name")
        if email is not None:
            changes["email"] = words.usable_email(email)
        if not changes:
            raise ValueError("Nothing to change was stated: a name, a full name or an e-mail.")

        def act(name: str) -> Work[Account]:
            now = yield from accounts.find_present(name)
            texts = {"name": now.name, "full_name": now.full_name, "email": now.email}
            check_seen(seen or {}, texts, {**changes, "name": new_name})
            return (yield from accounts.edit(name, **changes))

        return await self._one(name, "edit", act, was=name, **changes)

    async def credit(self, request_id: str, reason: str) -> Account:
        """Give back what an unconfirmed call was charged."""
        why = words.reason_of(reason)

        def act(request_id: str) -> Work[Account]:
            return accounts.credit(request_id, why, self.author)

        return await self._one(request_id, "credit", act, request_id=request_id, reason=why)

    async def renew_key(self, name: str) -> str:
        """A new key, shown to its own student; the old one stops working everywhere at once."""
        key = new_key()
        renew = partial(accounts.new_key, key=kept_key(key, self.secret))
        await self._one(name, "renew_key", renew)
        return key

    async def replace_key(self, name: str, replaces: int | None) -> str | None:
        """A new key in the place of the one of an id; None where that one works no more.

        So of two that want to replace the same key, one does.
        """
        key = new_key()

        def act() -> Work[bool]:
            kept = kept_key(key, self.secret)
            account = yield from own.replace_key(name, kept, replaces)
            if account is not None:
                yield from note(self.author, "renew_key", account.id)
            return account is not None

        return key if await self.store.write(act) else None

    async def revoke_keys(self, name: str) -> int:
        """Let no key of an account work any more; gives how many did."""

        def act() -> Work[int]:
            account = yield from accounts.find(name)
            revoked = yield from accounts.revoke_keys(name)
            yield from note(self.author, "revoke_keys", account.id, keys=revoked)
            return revoked

        return await self.store.write(act)

    async def key_of(self, account_id: int) -> tuple[own.LiveKey, str | None] | None:
        """The key that works, for its own student's eyes; None where there is none.

        The text is None for a key that was not kept, or can no longer be read: renew it.
        """
        live = await self.store.read(lambda: own.live_key(account_id))
        if live is None:
            return None
        key = None
        if live.sealed is not None:
            with suppress(ValueError):
                key = self.secret.unseal_key(live.sealed, account_id)
        return live, key

    async def grant(self, names: Sequence[str], amount_usd: str, reason: str) -> list[Done]:
        """Add to budgets; a negative amount takes back what is left."""
        amount_pico, why = words.amount_pico(amount_usd), words.reason_of(reason)

        def act(name: str) -> Work[Account]:
            return accounts.grant(name, amount_pico, why, self.author)

        return await self._each(names, "grant", act, amount_usd=usd_text(amount_pico), reason=why)

    async def enable(self, names: Sequence[str]) -> list[Done]:
        return await self._each(names, "enable", lambda name: accounts.set_enabled(name, True))

    async def disable(self, names: Sequence[str]) -> list[Done]:
        return await self._each(names, "disable", lambda name: accounts.set_enabled(name, False))

    async def delete(self, names: Sequence[str]) -> list[Done]:
        """Take people out of the course; the ledger stays, under names that name nobody."""

        def act(name: str) -> Work[Account]:
            account = yield from accounts.delete_account(name)
            yield from audit.forget(account.id)
            return account

        return await self._each(names, "delete", act)

    async def limit(self, names: Sequence[str], limits: Limits) -> list[Done]:
        """Say what accounts may do beside their budgets; see ``words.limits``."""
        act = partial(accounts.set_limits, limits=limits)
        stated = {field: value for field, value in asdict(limits).items() if value is not None}
        if not stated:
            raise ValueError("Nothing to change was stated of the limits.")
        return await self._each(names, "limit", act, **stated)

    async def reset_passwords(self, names: Sequence[str]) -> list[Done]:
        """New passwords, each shown once; who is signed in with an old one is so no longer."""
        named, done = list(dict.fromkeys(names)), list[Done]()
        for batch in (named[first : first + BATCH] for first in range(0, len(named), BATCH)):
            if self.stopped():
                done += [Done(name, "It was stopped.") for name in batch]
                continue
            reset = await self._reset_some(batch)
            done += reset
            self.made([one.credentials for one in reset if one.credentials])
        return done

    async def _reset_some(self, names: Sequence[str]) -> list[Done]:
        passwords = {name: new_password() for name in names}
        hashes = await asyncio.to_thread(
            lambda: {name: hash_initial_password(text) for name, text in passwords.items()}
        )

        def act(name: str) -> Work[Account]:
            account = yield from accounts.find_present(name)
            yield from own.set_password(account.id, hashes[name], initial=True)
            return (yield from accounts.find(name))

        done = await self._each(names, "reset_password", act)
        return [
            replace(one, credentials=Credentials(one.account, passwords[one.name]))
            if one.account
            else one
            for one in done
        ]

    async def renew_keys(self, names: Sequence[str]) -> list[Done]:
        """New keys, which only their students see: on the page."""

        def act(name: str) -> Work[Account]:
            return accounts.new_key(name, kept_key(new_key(), self.secret))

        return await self._each(names, "renew_key", act)


def new_account(
    course: Course,
    name: str,
    budget_pico: int | None,
    password_hash: str,
    key: NewKey,
    person: Person,
) -> NewAccount:
    """An account as the course gives it; raises ValueError where no budget is known."""
    budget_pico = course.default_budget_pico if budget_pico is None else budget_pico
    if budget_pico is None:
        raise ValueError(
            "State a budget, or the one of every new account: "
            "'swsllm course set --default-budget 5.00'."
        )
    return NewAccount(name, budget_pico, password_hash, key, person, course_limits(course))


def course_limits(course: Course) -> Limits:
    """The dates and models that the course gives to a new account."""
    return Limits(
        valid_from=course.begins and words.day_begins(course.begins),
        valid_until=course.ends and words.day_ends(course.ends),
        allowed_models=course.default_models,
    )


def kept_key(key: str, secret: Secret) -> NewKey:
    """What the database keeps of a key."""
    return NewKey(secret.hash_key(key), shown_prefix(key), partial(secret.seal_key, key))
