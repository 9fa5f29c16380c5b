"""What staff do: each act does what it says, to whom it says, and stands in the trail."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apps import SECRET
from stores import Place, execute, intent

from swsllm_nb.catalogue import overlaid
from swsllm_nb.proxy import books, own, teaching, words
from swsllm_nb.proxy.auth import Secret, password_is
from swsllm_nb.proxy.course import model_rows
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.models import row_named, row_texts
from swsllm_nb.proxy.offer import utc_today
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.store import KeyHolder, Store

NOBODY = "There is no account 'nobody'. 'swsllm account list' shows those there are."

Act = Callable[[Office], Awaitable[None]]


def run(place: Place, act: Act) -> None:
    """Let a test act as a member of staff; afterwards everything adds up."""

    async def acting() -> None:
        async with place.store() as store:
            await act(Office(store, SECRET, "prof"))
            assert await store.read(books.differences) == []

    asyncio.run(acting())


async def trail(office: Office) -> list[tuple[str, str | None]]:
    return [(entry.act, entry.account) for entry in reversed(await office.audit())]


async def password_hash(office: Office, name: str) -> str:
    (row,) = await execute(office.store, "SELECT password_hash FROM accounts WHERE name = $1", name)
    return str(row["password_hash"])


async def signed_in(store: Store, column: str, who: int) -> None:
    await execute(
        store,
        f"INSERT INTO sessions (token_hash, {column}, created_at, seen_at, expires_at) "
        "VALUES ($1, $2, 'now', 'now', 'later')",
        f"{column} {who}".encode(),
        who,
    )


async def sessions(store: Store) -> int:
    return len(await execute(store, "SELECT token_hash FROM sessions"))


async def holder(office: Office, key: str) -> KeyHolder:
    found = await office.store.key_holder(SECRET.hash_key(key))
    assert found is not None
    return found


def test_an_account_is_given_what_the_course_gives_unless_it_is_said_otherwise(
    place: Place,
) -> None:
    async def act(office: Office) -> None:
        with pytest.raises(ValueError, match="State a budget"):
            await office.add_account("ada")
        await office.set_course(
            default_budget_usd="5", default_models="gpt-4o-mini", begins="2026-10-01",
            ends="2027-03-31",
        )  # fmt: skip
        ada = (await office.add_account("ada", full_name=" Ada L. ", email="ada@x.de")).account
        assert (ada.budget_pico, ada.allowed_models) == (5 * 10**12, ("gpt-4o-mini-2024-07-18",))
        assert (ada.valid_from, ada.valid_until) == (
            words.day_begins("2026-10-01"),
            words.day_ends("2027-03-31"),
        )
        assert (ada.full_name, ada.email, ada.password_is_initial) == ("Ada L.", "ada@x.de", True)
        assert (await office.add_account("bob", "0.5")).account.budget_pico == 5 * 10**11

    run(place, act)


@pytest.mark.parametrize(
    ("stated", "fault"),
    [
        ({"name": ""}, "printable characters"),
        ({"name": "a\u202eb"}, "printable characters"),
        ({"name": "deleted-7"}, "deleted accounts"),
        ({"email": "nobody"}, "no e-mail"),
        ({"full_name": "x" * 201}, "at most 200"),
        ({"full_name": "a\x1b[31m"}, "printable"),
        ({"budget_usd": "-1"}, "negative"),
        ({"budget_usd": "5000000"}, "far too large"),
    ],
)
def test_an_account_that_cannot_be_is_one_sentence(
    tmp_path: Path, stated: dict[str, str], fault: str
) -> None:
    async def act(office: Office) -> None:
        with pytest.raises(ValueError, match=fault):
            await office.add_account(**{"name": "ada", "budget_usd": "1", **stated})
        assert await office.accounts() == []
        assert await office.audit() == []

    run(Place(tmp_path), act)


def test_one_account_of_a_selection_that_cannot_does_not_stop_the_others(place: Place) -> None:
    async def act(office: Office) -> None:
        for name, budget in (("ada", "5"), ("bob", "0.5"), ("eve", "5")):
            await office.add_account(name, budget)
        done = await office.grant(["ada", "bob", "nobody", "eve", "ada"], "-1", "a slip")
        assert [(one.name, one.sentence) for one in done] == [
            ("ada", None),
            ("bob", "Only $0.50 of bob's budget is left, so $1.00 cannot be taken back."),
            (
                "nobody",
                NOBODY,
            ),
            ("eve", None),
        ]
        budgets = [account.budget_pico for account in await office.accounts()]
        assert budgets == [4 * 10**12, 5 * 10**11, 4 * 10**12]
        assert [one.account is None for one in await office.disable(["ada", "nobody"])] == [
            False,
            True,
        ]
        assert [account.enabled for account in await office.accounts()] == [False, True, True]
        limits = words.limits(models="gpt-4o", per_minute=3)
        (limited,) = await office.limit(["bob"], limits)
        assert limited.account
        assert limited.account.allowed_models == ("gpt-4o-2024-11-20",)
        assert (await office.enable(["ada"]))[0].account is not None

    run(place, act)


def test_each_act_stands_in_the_trail_with_who_and_whose_and_no_secret(place: Place) -> None:
    async def act(office: Office) -> None:
        made = await office.add_account("ada", "5")
        secrets = [made.key, made.password]
        await office.grant(["ada", "nobody"], "1", "for the exam")
        await office.edit("ada", full_name="Ada")
        await office.limit(["ada"], words.limits(per_minute=7, ends="2027-02-28"))
        await office.disable(["ada"])
        await office.enable(["ada"])
        (reset,) = await office.reset_passwords(["ada"])
        assert reset.credentials
        secrets += [reset.credentials.password, await office.renew_key("ada")]
        await office.renew_keys(["ada"])
        await office.revoke_keys("ada")
        await office.set_course(name="SWS", cap_usd="")
        await office.set_model("gpt-4o", output_usd="11")
        secrets.append((await office.add_teacher("jo")).password)
        secrets.append(await office.new_staff_key("jo"))
        await office.revoke_staff_keys("jo")
        secrets.append((await office.reset_teacher_password("jo")).password)
        await office.set_teacher_enabled("jo", False)
        await office.personal_record("ada")
        assert await trail(office) == [
            *(
                (act, "ada")
                for act in (
                    "add_account", "grant", "edit", "limit", "disable", "enable",
                    "reset_password", "renew_key", "renew_key", "revoke_keys",
                )
            ),
            *(
                (act, None)
                for act in (
                    "set_course", "set_model", "add_teacher", "new_staff_key",
                    "revoke_staff_keys", "reset_teacher_password", "disable_teacher",
                )
            ),
            ("export_record", "ada"),
        ]  # fmt: skip
        entries = await office.audit()
        assert {entry.author for entry in entries} == {"prof"}
        details = {entry.act: entry.details for entry in entries}
        assert details["grant"] == {"amount_usd": "1.00", "reason": "for the exam"}
        assert details["limit"] == {"per_minute": 7, "valid_until": words.day_ends("2027-02-28")}
        assert details["set_course"] == {"name": "SWS", "cap_pico": None}
        assert details["set_model"] == {"model": "gpt-4o-2024-11-20", "output_usd": "11"}
        everything = repr(entries) + repr(made) + repr(reset)
        assert not [secret for secret in secrets if secret in everything]
        page = await office.audit(before=entries[4].id, account="ada", limit=2)
        assert [entry.act for entry in page] == ["revoke_keys", "renew_key"]

    run(place, act)


def test_an_act_that_fails_leaves_no_trace_in_the_trail(place: Place) -> None:
    async def act(office: Office) -> None:
        with pytest.raises(ValueError, match="No day"):
            await office.set_course(begins="2027-02-01", ends="2027-01-01")
        with pytest.raises(ValueError, match="no model"):
            await office.set_model("gpt-9", enabled=True)
        with pytest.raises(ValueError, match="no account"):
            await office.renew_key("nobody")
        assert (await office.course()).begins is None
        assert await office.audit() == []

    run(place, act)


def test_of_many_who_replace_the_same_key_at_once_one_does(place: Place) -> None:
    async def act(office: Office) -> None:
        ada = await office.add_account("ada", "1")
        live, _ = await office.key_of(ada.account.id) or pytest.fail("no key")
        made = await asyncio.gather(*(office.replace_key("ada", live.id) for _ in range(4)))
        (key,) = filter(None, made)
        assert (await office.key_of(ada.account.id) or [None])[-1] == key
        assert await trail(office) == [("add_account", "ada"), ("renew_key", "ada")]
        await office.revoke_keys("ada")
        made = await asyncio.gather(*(office.replace_key("ada", None) for _ in range(4)))
        assert len(list(filter(None, made))) == 1

    run(place, act)


def test_a_key_is_shown_again_to_its_own_account_alone(place: Place) -> None:
    async def act(office: Office) -> None:
        ada, bob = [await office.add_account(name, "1") for name in ("ada", "bob")]
        live, shown = await office.key_of(ada.account.id) or pytest.fail("no key")
        assert (shown, live.prefix) == (ada.key, ada.key[:8])
        assert ada.key not in repr(live)
        renewed = await office.renew_key("ada")
        assert (await office.key_of(ada.account.id) or [None])[-1] == renewed
        assert live.sealed is not None
        with pytest.raises(ValueError, match="Make a new one"):
            SECRET.unseal_key(live.sealed, bob.account.id)
        other = Office(office.store, Secret.of_text("1:" + "t" * 40), "prof")
        assert (await other.key_of(ada.account.id) or [""])[-1] is None
        await office.renew_keys(["ada"])
        newest = (await office.key_of(ada.account.id) or [""])[-1]
        assert newest not in (ada.key, renewed, None)
        assert (await holder(office, str(newest))).account.name == "ada"
        kept = await execute(office.store, "SELECT sealed FROM keys WHERE revoked_at IS NOT NULL")
        assert [row["sealed"] for row in kept] == [None, None]
        await office.revoke_keys("ada")
        assert await office.key_of(ada.account.id) is None
        await execute(office.store, "UPDATE keys SET sealed = NULL")
        older = await office.key_of(bob.account.id)
        assert older is not None
        assert older[1] is None

    run(place, act)


def test_damaged_and_shortened_seals_are_one_sentence() -> None:
    sealed = SECRET.seal_key("sws-key", 7)
    assert SECRET.unseal_key(sealed, 7) == "sws-key"
    assert SECRET.seal_key("sws-key", 7) != sealed
    for broken in (b"", sealed[:5], sealed[:-1], b"\x02" + sealed[1:], sealed[:-1] + b"x"):
        with pytest.raises(ValueError, match="cannot be shown"):
            SECRET.unseal_key(broken, 7)


def test_a_new_password_takes_the_place_of_the_old_one_and_ends_its_sessions(place: Place) -> None:
    async def act(office: Office) -> None:
        ada, bob = [await office.add_account(name, "1") for name in ("ada", "bob")]
        assert password_is(ada.password, await password_hash(office, "ada"))
        await office.store.write(lambda: own.set_password(ada.account.id, "chosen", initial=False))
        for made in (ada, bob):
            await signed_in(office.store, "account_id", made.account.id)
        (done,) = await office.reset_passwords(["ada"])
        assert done.credentials
        assert done.account
        assert done.account.password_is_initial
        assert password_is(done.credentials.password, await password_hash(office, "ada"))
        assert not password_is(ada.password, await password_hash(office, "ada"))
        assert await sessions(office.store) == 1

    run(place, act)


def test_of_a_person_who_is_deleted_only_the_ledger_stays(place: Place) -> None:
    async def act(office: Office) -> None:
        made = await office.add_account(
            "ada.lovelace", "5", full_name="Augusta King", email="ak@x.de"
        )
        await office.edit("ada.lovelace", new_name="countess", full_name="Augusta Ada King")
        await office.edit("countess", new_name="ada.lovelace", email="byron@x.de")
        await office.store.write(lambda: own.set_language(made.account.id, "de"))
        await signed_in(office.store, "account_id", made.account.id)
        hold = await office.store.reserve(intent(await holder(office, made.key), 1, 600))
        (done,) = await office.delete(["ada.lovelace"])
        assert done.account
        assert done.account.name == f"deleted-{made.account.id}"
        await office.store.close_hold(hold, Outcome("settled", 100))
        assert await sessions(office.store) == 0
        assert await office.key_of(made.account.id) is None
        everything = ""
        for table in ("accounts", "keys", "ledger", "sessions", "audit", "sign_in_failures"):
            rows = await execute(office.store, f"SELECT * FROM {table}")
            everything += json.dumps(rows, default=repr).casefold()
        for word in ("lovelace", "king", "augusta", "countess", "byron", "@x.de", "argon2"):
            assert word not in everything
        rows = await execute(office.store, "SELECT kind, amount_pico FROM ledger ORDER BY id")
        assert [row["kind"] for row in rows] == ["grant", "call"]
        assert (await trail(office))[-1] == ("delete", done.account.name)
        assert await execute(office.store, "SELECT id FROM keys WHERE sealed IS NOT NULL") == []

    run(place, act)


def test_a_course_may_keep_no_key_and_forgets_those_it_has_kept(place: Place) -> None:
    async def act(office: Office) -> None:
        ada = await office.add_account("ada", "1")
        assert (await office.set_course(keys_shown_once="yes")).keys_shown_once
        assert (await office.key_of(ada.account.id) or [""])[-1] is None
        assert (await holder(office, ada.key)).account.name == "ada"
        bob = await office.add_account("bob", "1")
        renewed = await office.renew_key("ada")
        for made in (ada, bob):
            assert (await office.key_of(made.account.id) or [""])[-1] is None
        assert (await holder(office, renewed)).account.name == "ada"
        await office.set_course(keys_shown_once="no")
        assert (await office.key_of(bob.account.id) or [""])[-1] is None
        key = await office.renew_key("bob")
        assert (await office.key_of(bob.account.id) or [""])[-1] == key

    run(place, act)


def test_a_deleted_person_is_not_in_the_databases_file_either(tmp_path: Path) -> None:
    person = {"full_name": "Augusta King", "email": "byron@x.de"}

    async def act(office: Office) -> None:
        for name in ("lovelace", "other"):
            await office.add_account(name, "5", **person)
        await office.edit("lovelace", new_name="countess")
        await office.set_course(name="SWS")
        assert all(one.account for one in await office.delete(["countess", "other"]))

    run(Place(tmp_path), act)
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"SWS" in files
    for word in (b"lovelace", b"countess", b"King", b"byron", b"$argon2"):
        assert word not in files


def test_the_course_is_described_in_words_and_each_is_taken_away_by_an_empty_one(
    place: Place,
) -> None:
    told = {
        "name": "Sprachmodelle", "begins": "2026-10-01", "ends": "2027-03-31",
        "contact": "staff@x.de, P901", "language": "de", "default_budget_usd": "5.00",
        "default_models": "gpt-4o,gpt-4o-mini", "cap_usd": "1000", "retention_days": "180",
    }  # fmt: skip

    async def act(office: Office) -> None:
        course = await office.set_course(**told)
        assert course == await office.course()
        assert course.default_models == ("gpt-4o-2024-11-20", "gpt-4o-mini-2024-07-18")
        assert (course.default_budget_pico, course.cap_pico) == (5 * 10**12, 10**15)
        assert (course.retention_days, course.language, course.ends) == (180, "de", "2027-03-31")
        assert await office.set_course(name="SWS") == await office.course()
        assert (await office.course()).contact == "staff@x.de, P901"
        emptied: Any = await office.set_course(**dict.fromkeys(told, ""))
        assert set(vars(emptied).values()) == {None, False}

    run(place, act)


@pytest.mark.parametrize(
    ("word", "text", "fault"),
    [
        ("name", "a\nb", "printable"),
        ("begins", "1.10.2026", "not a day"),
        ("language", "fr", "de, en"),
        ("default_budget_usd", "five", "amount in dollars"),
        ("default_models", "gpt-9", "no model 'gpt-9'"),
        ("default_models", ",", "no model ''"),
        ("cap_usd", "-1", "negative"),
        ("retention_days", "0", "number of days"),
        ("retention_days", "1e3", "number of days"),
        ("keys_shown_once", "perhaps", "neither yes nor no"),
    ],
)
def test_words_for_the_course_that_mean_nothing_are_one_sentence(
    tmp_path: Path, word: str, text: str, fault: str
) -> None:
    async def act(office: Office) -> None:
        before = await office.course()
        with pytest.raises(ValueError, match=fault):
            await office.set_course(**{word: text})
        assert await office.course() == before

    run(Place(tmp_path), act)


def test_a_model_is_added_like_another_one_priced_and_retired(place: Place) -> None:
    async def act(office: Office) -> None:
        new = "gpt-7-2027-02-01"
        added = await office.add_model(new, like="gpt-4o")
        assert (added["enabled"], added["context_tokens"]) == (False, 128_000)
        assert (added["input_usd"], added["aliases"], added["shutdown_date"]) == (None, [], None)
        with pytest.raises(ValueError, match="already"):
            await office.add_model("gpt-4o", like="gpt-4o-mini")
        with pytest.raises(ValueError, match="prices"):
            await office.set_model(new, enabled=True)
        priced = await office.set_model(
            new, enabled=True, default=True, input_usd="1", output_usd="2"
        )
        assert (priced["input_usd"], priced["default"]) == ("1", True)
        defaults = [row["model"] for row in await office.models() if row["default"]]
        assert defaults == [new]
        retired = await office.retire_model("gpt-4o", on="2027-01-14", successor=new)
        assert (retired["shutdown_date"], retired["successor"]) == ("2027-01-14", new)
        for model_id, like, fault in (
            ("", None, "cannot be the id"),
            ("a\nb", None, "cannot be the id"),
            ("x", "gpt-9", "no model"),
        ):
            with pytest.raises(ValueError, match=fault):
                await office.add_model(model_id, like=like)
        with pytest.raises(ValueError, match="context_tokens"):
            await office.add_model("plain-2027-01-01", enabled=True, input_usd="1", output_usd="1")
        with pytest.raises(ValueError, match="no model"):
            await office.retire_model("gpt-4o", successor="gpt-9")

    run(place, act)


def test_teachers_who_change_one_model_at_once_take_nothing_back_from_each_other(
    place: Place,
) -> None:
    changes: list[dict[str, Any]] = [
        {"output_usd": "11"}, {"input_usd": "3"}, {"aliases": ["four"]}, {"floor_cap_tokens": 300},
        {"default_cap_tokens": 5000}, {"shutdown_date": "2090-01-01"}, {"default": True},
        {"multiplier": "1.1"},
    ]  # fmt: skip

    async def act(office: Office) -> None:
        async with place.store() as other:
            hands = [office, replace(office, store=other)] * 4
            await asyncio.gather(
                *(
                    hand.set_model("gpt-4o-2024-11-20", **one)
                    for hand, one in zip(hands, changes, strict=True)
                )
            )
        (row,) = [row for row in await office.models() if row["model"] == "gpt-4o-2024-11-20"]
        for one in changes:
            assert {field: row[field] for field in one} == one

    run(place, act)


def test_teachers_who_describe_the_course_at_once_agree_or_one_is_refused(place: Place) -> None:
    async def act(office: Office) -> None:
        async with place.store() as other:
            colleague = replace(office, store=other)
            days = await asyncio.gather(
                office.set_course(begins="2027-03-01"), colleague.set_course(ends="2027-02-01"),
                return_exceptions=True,
            )  # fmt: skip
            assert sum(isinstance(one, ValueError) for one in days) == 1
            seen = {"contact": ""}
            saved = await asyncio.gather(
                office.set_course(seen, contact="room 1"),
                colleague.set_course(seen, contact="room 2"),
                return_exceptions=True,
            )
            (refused,) = [one for one in saved if isinstance(one, ValueError)]
            contact = (await office.course()).contact
            assert f"A colleague changed the same while you did: contact ({contact})" in str(
                refused
            )
            shown = {"name": "", "default_budget_usd": ""}
            for _ in "twice":
                # As a double click sends it: what holds already takes nothing from anybody.
                await office.set_course(shown, name="SWS", default_budget_usd="5")

    run(place, act)


def test_what_a_colleague_changed_meanwhile_is_not_overwritten_unseen(
    place: Place,
) -> None:
    async def act(office: Office) -> None:
        rows = overlaid(await office.store.read(model_rows))
        seen = row_texts(row_named(rows, "gpt-4o"), utc_today())
        price = {"prices": seen["prices"]}
        for _ in "twice":
            await office.set_model("gpt-4o", price, output_usd="11", valid_from="2090-01-01")
        with pytest.raises(ValueError, match=r"changed the same while you did: prices\. Nothing"):
            await office.set_model("gpt-4o", price, output_usd="12", valid_from="2090-01-01")
        await office.set_model("gpt-4o", {"successor": ""}, successor="gpt-4o-mini")
        with pytest.raises(ValueError, match=r"successor \(gpt-4o-mini"):
            await office.set_model("gpt-4o", {"successor": ""}, successor="o3-mini")
        await office.add_account("ada", "5")
        for _ in "twice":
            await office.edit("ada", {"full_name": ""}, full_name="Ada")
        with pytest.raises(ValueError, match=r"full_name \(Ada\)"):
            await office.edit("ada", {"full_name": ""}, full_name="Ida")

    run(place, act)


def test_staff_have_passwords_and_keys_of_their_own_which_end_with_them(place: Place) -> None:
    async def act(office: Office) -> None:
        made = await office.add_teacher("jo")
        assert made.password not in repr(made)
        with pytest.raises(ValueError, match="already"):
            await office.add_teacher("jo")
        keys = [await office.new_staff_key("jo") for _ in range(2)]

        async def holders() -> list[str]:
            found = [
                await office.store.read(lambda: teaching.staff_key_holder(SECRET.hash_key(key)))  # noqa: B023
                for key in keys
            ]
            return [teacher.name for teacher in found if teacher]

        assert await holders() == ["jo", "jo"]
        assert await office.store.key_holder(SECRET.hash_key(keys[0])) is None
        await signed_in(office.store, "staff_id", made.teacher.id)
        off = await office.set_teacher_enabled("jo", False)
        assert (off.enabled, off.keys, await holders()) == (False, 2, [])
        assert await sessions(office.store) == 0
        await office.set_teacher_enabled("jo", True)
        assert await holders() == ["jo", "jo"]
        await signed_in(office.store, "staff_id", made.teacher.id)
        again = await office.reset_teacher_password("jo")
        assert (again.teacher.password_is_initial, again.password != made.password) == (True, True)
        assert await sessions(office.store) == 0
        assert await office.revoke_staff_keys("jo") == 2
        assert await holders() == []
        assert [teacher.keys for teacher in await office.teachers()] == [0]
        with pytest.raises(ValueError, match="no member of staff 'eve'"):
            await office.new_staff_key("eve")

    run(place, act)


@pytest.mark.parametrize("name", ["the student", "The Proxy", "the  proxy", "swsllm lab"])
def test_no_colleague_is_called_what_the_trail_calls_others(place: Place, name: str) -> None:
    async def act(office: Office) -> None:
        with pytest.raises(ValueError, match="cannot be a colleague's name"):
            await office.add_teacher(name)
        assert await office.teachers() == []

    run(place, act)


def test_nobody_switches_themselves_off(place: Place) -> None:
    async def act(office: Office) -> None:
        await office.add_teacher("prof")
        with pytest.raises(ValueError, match="cannot switch yourself off"):
            await office.set_teacher_enabled("prof", False)
        assert [teacher.enabled for teacher in await office.teachers()] == [True]
        colleague = replace(office, author="jo")
        assert not (await colleague.set_teacher_enabled("prof", False)).enabled

    run(place, act)


def test_a_name_that_no_database_takes_is_nobodys(place: Place) -> None:
    async def act(office: Office) -> None:
        nul = "a\0da"
        (done,) = await office.disable([nul])
        assert "There is no account 'a\\x00da'" in str(done.sentence)
        for reading, fault in (
            (office.account(nul), "no account"),
            (office.credit(nul, "why"), "no call"),
            (office.new_staff_key(nul), "no member of staff"),
            (office.audit(account=nul), "no account"),
        ):
            with pytest.raises(ValueError, match=fault):
                await reading

    run(place, act)


def test_a_rename_to_a_name_that_is_taken_is_refused_and_to_its_own_is_none(place: Place) -> None:
    async def act(office: Office) -> None:
        for name in ("ada", "bob"):
            await office.add_account(name, "1")
        with pytest.raises(ValueError, match="'bob' already"):
            await office.edit("ada", new_name="bob")
        with pytest.raises(ValueError, match="'bob' already"):
            await office.edit("ada", new_name="BOB")
        with pytest.raises(ValueError, match="'ada' already"):
            await office.add_account("Ada", "1")
        assert (await office.edit("ada", new_name="Ada")).name == "Ada"
        assert (await office.edit("Ada", new_name="ada")).name == "ada"
        with pytest.raises(ValueError, match="Nothing to change"):
            await office.edit("ada")
        same = await office.edit("ada", new_name="ada", email="a@x.de")
        assert (same.name, same.email) == ("ada", "a@x.de")
        assert (await office.edit("ada", email="")).email == ""

    run(place, act)
