"""What is done to the accounts of teaching staff; the methods of the office that concern them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from swsllm_nb.proxy import teaching, words
from swsllm_nb.proxy.acts import Acts
from swsllm_nb.proxy.audit import note
from swsllm_nb.proxy.auth import hash_initial_password, new_key, new_password, shown_prefix
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.teaching import Teacher
from swsllm_nb.proxy.work import Work

__all__ = ["StaffActs", "StaffCredentials"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class StaffCredentials:
    """A member of staff and the password they sign in with first, shown once."""

    teacher: Teacher
    password: str = field(repr=False)


class StaffActs(Acts):
    """Who may sign in under /staff, and the keys of the staff API."""

    async def teachers(self) -> list[Teacher]:
        return await self.store.read(teaching.all_teachers)

    async def add_teacher(self, name: str) -> StaffCredentials:
        usable, password = words.teachers_name(name), new_password()
        password_hash = hash_initial_password(password)
        act = partial(teaching.add_teacher, usable, password_hash)
        return StaffCredentials(await self._noted("add_teacher", usable, act), password)

    async def set_teacher_enabled(self, name: str, enabled: bool) -> Teacher:
        """Who is disabled is signed out, and none of their keys works."""
        if name == self.author and not enabled:
            raise ValueError("You cannot switch yourself off. Ask a colleague.")
        act = partial(teaching.set_teacher_enabled, name, enabled)
        return await self._noted("enable_teacher" if enabled else "disable_teacher", name, act)

    async def choose_password(self, staff_id: int, password_hash: str) -> None:
        """A password that the author chose for themselves."""

        def act() -> Work[None]:
            yield from teaching.set_teacher_password(staff_id, password_hash, initial=False)

        await self._noted("choose_password", self.author, act)

    async def reset_teacher_password(self, name: str) -> StaffCredentials:
        password = new_password()
        password_hash = hash_initial_password(password)

        def act() -> Work[Teacher]:
            teacher = yield from teaching.find_teacher(name)
            yield from teaching.set_teacher_password(teacher.id, password_hash, initial=True)
            return (yield from teaching.find_teacher(name))

        return StaffCredentials(await self._noted("reset_teacher_password", name, act), password)

    async def new_staff_key(self, name: str) -> str:
        """One more key for the staff API, shown once; those there are go on working."""
        key = new_key()
        kept = NewKey(self.secret.hash_key(key), shown_prefix(key))
        act = partial(teaching.add_staff_key, name, kept)
        await self._noted("new_staff_key", name, act, key=kept.prefix)
        return key

    async def revoke_staff_keys(self, name: str) -> int:
        """Let no key of a member of staff work any more; gives how many did."""
        return await self._noted(
            "revoke_staff_keys", name, partial(teaching.revoke_staff_keys, name)
        )

    async def _noted(
        self, act: str, name: str, work: Callable[[], Work[Result]], **details: Any
    ) -> Result:
        def noted() -> Work[Result]:
            result = yield from work()
            yield from note(self.author, act, teacher=name, **details)
            return result

        return await self.store.write(noted)
