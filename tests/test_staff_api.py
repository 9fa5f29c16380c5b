"""The staff API: the office's acts and the pages' readings, for scripts with a staff key."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from apps import SECRET, course
from stores import execute

from swsllm_nb.proxy import own
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.staff_orders import ORDERS
from swsllm_nb.proxy.store import Store

ROSTER = "name,full name,budget\nbob,Bob Stone,2.50\ncleo,=1+1,1\nada,,\n"


class Script:
    """A script with a staff key; answers are as they came, or read where they must be good."""

    def __init__(self, client: httpx2.AsyncClient, store: Store) -> None:
        self.client = client
        self.store = store

    async def read(self, what: str, **words: Any) -> Any:
        answer = await self.client.get(f"/staff/api/{what}", params=words)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def act(self, what: str, **words: Any) -> Any:
        answer = await self.client.post(f"/staff/api/{what}", json=words)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    async def fault(self, what: str, **words: Any) -> str:
        answer = await self.client.post(f"/staff/api/{what}", json=words)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"]["message"])


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Script], Awaitable[None]]], None]:
    """Let a test's script talk to a course with one account, ``ada``, that has $5.00."""

    def running(act: Callable[[Script], Awaitable[None]]) -> None:
        async def run() -> None:
            async with course(tmp_path, "http://127.0.0.1:9/v1") as made:
                office = Office(made.store, SECRET, "a test")
                await office.add_teacher("grace")
                key = await office.new_staff_key("grace")
                async with made.client() as client:
                    client.headers["authorization"] = f"Bearer {key}"
                    await act(Script(client, made.store))

        asyncio.run(run())

    return running


Run = Callable[[Callable[[Script], Awaitable[None]]], None]


async def unconfirmed_call(store: Store) -> None:
    """Of ada, as a process that died leaves one behind."""
    await execute(
        store,
        "INSERT INTO ledger (kind, account_id, at, request_id, state, model, upstream, stream, "
        "hold_pico, amount_pico, prices, cap_tokens, finished_at) VALUES ('call', 1, utc_now(), "
        "'req_1', 'unconfirmed', 'gpt-4o', 'x', 0, 7, 7, "
        '\'{"input":1,"output":1}\', 7, utc_now())',
    )
    await execute(store, "UPDATE accounts SET spend_pico = 7 WHERE id = 1")


def test_a_script_runs_a_course_from_its_first_account_to_its_last(run: Run) -> None:
    async def act(script: Script) -> None:
        made = await script.act("add_account", name="bob", budget_usd="2.50", full_name="Bob")
        assert (made["account"], made["budget_usd"], len(made["password"])) == ("bob", "2.50", 19)
        assert "key" not in made
        granted = await script.act(
            "grant", names=["ada", "bob", "nobody"], amount_usd="1.25", reason="a project"
        )
        assert granted["refused"] == 1
        assert [row["done"] for row in granted["data"]] == [True, True, False]
        assert "There is no account 'nobody'" in granted["data"][2]["sentence"]
        await script.act("limit", names=["bob"], in_flight=2, ends="2027-03-31")
        await script.act("edit", name="bob", new_name="robert", email="bob@uni.example")
        listed = await script.read("accounts", sort="budget", descending=1)
        assert [(row["account"], row["budget_usd"]) for row in listed["data"]] == [
            ("ada", "6.25"), ("robert", "3.75"),
        ]  # fmt: skip
        assert listed["total"] == 2
        shown = await script.read("account", account="robert")
        assert (shown["in_flight_limit"], shown["email"]) == (2, "bob@uni.example")
        passwords = await script.act("reset_passwords", names=["robert"])
        assert len(passwords["data"][0]["password"]) == 19
        renewed = await script.act("renew_keys", names=["robert"])
        assert set(renewed["data"][0]) == {"account", "done"}
        assert (await script.act("revoke_keys", name="robert"))["revoked_keys"] == 1
        for what in ("disable", "enable", "delete"):
            assert (await script.act(what, names=["robert"]))["refused"] == 0
        assert (await script.read("accounts"))["total"] == 1
        acts = [entry["act"] for entry in (await script.read("audit"))["data"]]
        assert acts[:4] == ["delete", "enable", "disable", "revoke_keys"]
        assert {entry["author"] for entry in (await script.read("audit", limit=8))["data"]} == {
            "grace"
        }

    run(act)


def test_a_roster_is_tried_and_imported_with_a_line_for_each(run: Run) -> None:
    async def act(script: Script) -> None:
        tried = await script.act("import_roster", csv=ROSTER, dry_run=True)
        assert [line["outcome"] for line in tried["data"]] == ["added", "added", "kept"]
        assert (await script.read("accounts"))["total"] == 1
        done = await script.act("import_roster", csv=ROSTER, dry_run=False)
        assert [bool(line["password"]) for line in done["data"]] == [True, True, False]
        assert done["data"][0]["budget_usd"] == "2.50"
        again = await script.act("import_roster", csv=ROSTER, dry_run=False)
        assert {line["outcome"] for line in again["data"]} == {"kept"}

    run(act)


def test_the_course_and_its_models_are_told_and_changed(run: Run) -> None:
    async def act(script: Script) -> None:
        told = await script.act("set_course", name="SWS", contact="P 901", cap_usd="100")
        assert (told["name"], told["cap_usd"], told["ends"]) == ("SWS", "100.00", None)
        assert (await script.read("course"))["contact"] == "P 901"
        model = "gpt-4o-mini-2024-07-18"
        changed = await script.act("set_model", name=model, changes={"input_usd": "0.20"})
        assert changed["model"] == model
        await script.act("retire_model", name=model, on="2027-01-14")
        (row,) = [row for row in (await script.read("models"))["data"] if row["model"] == model]
        assert row["shutdown_date"] == "2027-01-14"
        assert "is no field of a model" in await script.fault(
            "set_model", name=model, changes={"name": "other"}
        )

    run(act)


def test_staff_are_added_and_their_keys_work_until_they_are_revoked(run: Run) -> None:
    async def act(script: Script) -> None:
        assert len((await script.act("add_teacher", name="alan"))["password"]) == 19
        made = await script.act("new_staff_key", name="alan")
        grace = script.client.headers["authorization"]
        script.client.headers["authorization"] = f"Bearer {made['key']}"
        assert {row["name"] for row in (await script.read("staff"))["data"]} == {"alan", "grace"}
        script.client.headers["authorization"] = grace
        assert (await script.act("revoke_staff_keys", name="alan"))["revoked_keys"] == 1
        await script.act("disable_teacher", name="alan")
        script.client.headers["authorization"] = f"Bearer {made['key']}"
        assert (await script.client.get("/staff/api/staff")).status_code == 401

    run(act)


def test_the_class_and_one_students_data_are_read_without_a_question_or_a_secret(
    run: Run,
) -> None:
    async def act(script: Script) -> None:
        await script.act("set_course", name="SWS", contact="P 901", language="de")
        seen = await script.read("overview")
        assert (seen["sums"]["accounts"], seen["sums"]["budget_usd"]) == (1, "5.00")
        assert [one["account"] for one in seen["idle"]] == ["ada"]
        personal = await script.read("personal", account="ada")
        assert personal["account"]["course"] == "SWS"
        assert [row["granted_usd"] for row in personal["ledger"]] == ["5.00"]
        assert set(personal) == {
            "account", "ledger", "keys", "sessions", "refusals", "acts", "days",
        }  # fmt: skip
        assert "hash" not in str(personal)
        held_against = await script.act("compare_invoice", csv="2026-11-02,0.25")
        assert held_against["total"]["billed_usd"] == "0.25"
        days = {"since": "2026-11-01", "until": "2026-11-30"}
        told = await script.act("compare_invoice", **days, billed_usd="0.25")
        assert (told["above_usd"], told["agrees"]) == ("0.25", False)
        assert (await script.act("compare_invoice", **days))["agrees"] is None
        backwards = {"since": "2026-11-30", "until": "2026-11-01"}
        assert "No day is from" in await script.fault("compare_invoice", **backwards)
        assert "billed" in await script.fault("compare_invoice", **days, billed_usd="-1")
        for unclear in ({}, {"since": "2026-11-01"}, {**days, "csv": "2026-11-02,0.25"}):
            assert "State the invoice's file" in await script.fault("compare_invoice", **unclear)
        usage = await script.read("usage", account="ada", limit=1)
        assert usage == {"data": personal["ledger"], "next_cursor": None}

    run(act)


def test_every_act_and_every_record_that_is_taken_away_stands_in_the_trail(run: Run) -> None:
    names = {"names": ["eve"]}
    told: dict[str, dict[str, Any]] = {
        "add_account": {"name": "eve", "budget_usd": "1"},
        "edit": {"name": "eve", "full_name": "Eve"},
        "credit": {"request_id": "req_1", "reason": "it was cut"},
        "grant": {**names, "amount_usd": "1", "reason": "exam"},
        "disable": names, "enable": names, "limit": {**names, "in_flight": 2},
        "reset_passwords": names, "renew_keys": names, "revoke_keys": {"name": "eve"},
        "delete": names,
        "import_roster": {"csv": "name,budget\nbob,1\n", "dry_run": False},
        "set_course": {"name": "SWS"},
        "set_model": {"name": "gpt-4o", "changes": {"source": "a letter"}},
        "add_model": {"name": "a-2026-01-01", "changes": {}},
        "retire_model": {"name": "gpt-4o"},
        "compare_invoice": {"csv": "2026-11-02,0.25"},
        "add_teacher": {"name": "alan"}, "disable_teacher": {"name": "alan"},
        "enable_teacher": {"name": "alan"}, "reset_teacher_password": {"name": "alan"},
        "new_staff_key": {"name": "alan"}, "revoke_staff_keys": {"name": "alan"},
    }  # fmt: skip
    changes_nothing = ("compare_invoice",)
    noted = {
        "reset_passwords": "reset_password", "renew_keys": "renew_key",
        "import_roster": "add_account",
    }  # fmt: skip

    async def act(script: Script) -> None:
        assert told.keys() == ORDERS.keys()
        await unconfirmed_call(script.store)
        for order, fields in told.items():
            before = (await script.read("audit", limit=1))["data"][0]["id"]
            await script.act(order, **fields)
            new = (await script.read("audit", limit=3))["data"]
            rows = [(row["author"], row["act"]) for row in new if row["id"] > before]
            expected = [] if order in changes_nothing else [("grace", noted.get(order, order))]
            assert rows == expected, order
        await script.read("personal", account="bob")
        assert (await script.read("audit", limit=1))["data"][0]["act"] == "export_record"

    run(act)


def test_only_a_staff_key_opens_any_of_it(tmp_path: Path) -> None:
    async def act() -> None:
        async with course(tmp_path, "http://127.0.0.1:9/v1") as made, made.client() as client:
            for authorization in (f"Bearer {made.key}", "Bearer sws-none", "Basic YTpi", ""):
                client.headers["authorization"] = authorization
                for what in ("", "/accounts", "/audit"):
                    assert (await client.get(f"/staff/api{what}")).status_code == 401
                for what in ORDERS:
                    assert (await client.post(f"/staff/api/{what}", json={})).status_code == 401

    asyncio.run(act())


def test_what_is_not_asked_rightly_is_refused_in_a_sentence(run: Run) -> None:
    async def act(script: Script) -> None:
        assert "This act is told, as JSON: names, amount_usd, reason" in await script.fault("grant")
        assert "amount_usd" in await script.fault(
            "grant", names=["ada"], amount_usd=1.25, reason="a float"
        )
        assert "unknown field" in await script.fault("enable", names=[], all=True)
        assert "NUL" in await script.fault("enable", names=["a\0"])
        assert "Say why" in await script.fault("grant", names=["ada"], amount_usd="1", reason=" ")
        for what, sentence in {
            "accounts?sort=key": "not sorted by", "accounts?limit=-1": "whole number",
            "account": "Say whose", "account?account=x": "There is no account",
            "usage?account=%00": "cannot be printed",
        }.items():  # fmt: skip
            answer = await script.client.get(f"/staff/api/{what}")
            assert answer.status_code == 400, answer.text
            assert sentence in answer.json()["error"]["message"]
        assert (await script.client.get("/staff/api/nothing")).status_code == 404
        assert (await script.client.get("/staff/api/grant")).status_code == 405

    run(act)


def test_it_says_itself_what_there_is(run: Run) -> None:
    async def act(script: Script) -> None:
        told = (await script.client.get("/staff/api")).json()
        assert "GET /staff/api/accounts" in told["read"]
        assert {"act": "POST /staff/api/enable", "words": ["names"]} in told["act"]
        assert len(told["act"]) == len(ORDERS)

    run(act)


def test_get_account_says_which_course_it_is_whom_to_ask_and_in_which_language(
    tmp_path: Path,
) -> None:
    async def act() -> None:
        async with course(tmp_path, "http://127.0.0.1:9/v1") as made, made.client() as client:
            told = (await client.get("/account")).json()
            assert (told["course"], told["contact"], told["language"]) == (None, None, None)
            office = Office(made.store, SECRET, "a test")
            await office.set_course(name="SWS", contact="P 901", language="de")
            told = (await client.get("/account")).json()
            assert (told["course"], told["contact"], told["language"]) == ("SWS", "P 901", "de")
            await made.store.write(lambda: own.set_language(1, "en"))
            assert (await client.get("/account")).json()["language"] == "en"

    asyncio.run(act())


def test_a_script_reads_what_the_class_spent_was_granted_and_was_refused(run: Run) -> None:
    async def act(script: Script) -> None:
        await unconfirmed_call(script.store)
        await script.act("grant", names=["ada"], amount_usd="1.25", reason="a project")
        spent = await script.read("spend", by="model,account", until="2099-01-01")
        assert spent == {
            "data": [
                {
                    "model": "gpt-4o", "account": "ada", "calls": 1, "prompt_tokens": 0,
                    "completion_tokens": 0, "cost_usd": "0.000000000007",
                }
            ],
            "next_offset": None,
        }  # fmt: skip
        first = await script.read("grants", limit=1)
        assert [row["reason"] for row in first["data"]] == ["first budget"]
        then = await script.read("grants", limit=1, offset=first["next_offset"])
        assert [row["amount_usd"] for row in then["data"]] == ["1.25"]
        assert then["next_offset"] is None
        (doubtful,) = (await script.read("unconfirmed"))["data"]
        assert (doubtful["request_id"], doubtful["adjusted_usd"]) == ("req_1", None)
        assert await script.read("refusals") == {"data": [], "next_offset": None}
        for words in ({"by": "key"}, {"since": "soon"}, {"limit": "-1"}):
            answer = await script.client.get("/staff/api/spend", params=words)
            assert answer.status_code == 400
            assert len(answer.json()["error"]["message"]) > 20

    run(act)
