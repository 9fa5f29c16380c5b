"""Passwords: what is kept of them, how long they take, and how many at a time."""

import asyncio
import threading
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters

from swsllm_nb.proxy import auth
from swsllm_nb.proxy.auth import (
    Passwords,
    hash_initial_password,
    hash_password,
    new_password,
    password_is,
)


def test_a_chosen_password_is_hashed_with_all_the_librarys_care() -> None:
    kept = hash_password("correct horse")
    assert kept.startswith("$argon2id$")
    assert extract_parameters(kept) == extract_parameters(PasswordHasher().hash("x"))
    assert password_is("correct horse", kept)
    assert not password_is("correct Horse", kept)


def test_a_first_password_has_eighty_random_bits_and_is_hashed_all_the_same() -> None:
    passwords = {new_password() for _ in range(100)}
    assert len(passwords) == 100
    letters = set("".join(passwords)) - {"-"}
    assert len(letters) == 32, "five bits each"
    assert {len(password.replace("-", "")) for password in passwords} == {16}
    assert not letters & set("lo01")
    password = passwords.pop()
    kept = hash_initial_password(password)
    assert kept.startswith("$argon2id$")
    assert password not in kept
    assert password_is(password, kept)
    assert not password_is(passwords.pop(), kept)


def test_nobody_has_no_password() -> None:
    assert not password_is("", "")
    assert not password_is("x", "")


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("kept", ["chosen", "first", "nobody"])
def test_time_does_not_tell_whether_there_is_an_account(
    kept: str, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = {"chosen": hash_password("p"), "first": hash_initial_password("p"), "nobody": ""}
    work: list[int] = []
    core = auth.PasswordHasher

    class Counting(core):  # type: ignore[misc, valid-type]
        def hash(self, *told: Any, **options: Any) -> str:
            work.append(self.memory_cost)
            return str(super().hash(*told, **options))

        def verify(self, stored: str, password: str) -> bool:  # type: ignore[override]
            work.append(extract_parameters(stored).memory_cost)
            return bool(super().verify(stored, password))

    monkeypatch.setattr(auth, "_FOR_CHOSEN", Counting())
    monkeypatch.setattr(auth, "_FOR_RANDOM", Counting(time_cost=1, memory_cost=1024, parallelism=1))
    matches = password_is("p" if right else "q", hashes[kept])
    assert matches is (right and kept != "nobody")
    assert sorted(work) == [1024, PasswordHasher().memory_cost]


def test_two_passwords_at_a_time_are_hashed_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work: list[int] = []
    finished: list[int] = []
    third = threading.Event()

    def slow(*_: str) -> bool:
        at_work.append(1)
        if len(at_work) - len(finished) > 2:
            third.set()
        came = third.wait(0.2)
        finished.append(1)
        return came

    monkeypatch.setattr(auth, "password_is", slow)
    monkeypatch.setattr(auth, "hash_password", slow)

    async def act() -> None:
        passwords = Passwords()
        checks = (passwords.match("p", "") for _ in range(2))
        assert not any(await asyncio.gather(*checks, *(passwords.hash("p") for _ in range(2))))

    asyncio.run(act())
    assert len(finished) == 4
