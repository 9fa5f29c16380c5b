"""Lists of people as universities export them, and lists made to do harm."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from apps import SECRET
from hypothesis import given
from hypothesis import strategies as st
from stores import Place, execute

from swsllm_nb.proxy import books
from swsllm_nb.proxy.auth import password_is
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.roster import MOST_BYTES, MOST_LINES, Roster, read_roster
from swsllm_nb.proxy.store import Store

MOODLE = '"First name","Last name","Email address","Groups"\nZoë,Öz,zo12abc@x.de,"A, B"\n'
MOODLE_DE = "Vorname,Nachname,E-Mail-Adresse,Gruppen\nZoë,Öz,zo12abc@x.de,A\n"
MOODLE_UPLOAD = "username,firstname,lastname,email\nzo12abc,Zoë,Öz,zo12abc@x.de\n"
OPAL = (
    "Nachname;Vorname;Benutzername;Matrikelnummer;E-Mail;Institution\n"
    "Öz;Zoë;zo12abc;3141592;zo12abc@x.de;Uni\n"
)
SPREADSHEET = "sep=\t\r\nAnmeldename\tName\tVorname\tE-Mail\r\nzo12abc\tÖz\tZoë\tzo12abc@x.de\r\n"
FULL = 'Name,"E-Mail-Adresse"\n"Zoë Öz",zo12abc@x.de\n'

Act = Callable[[Office], Awaitable[None]]


def read(text: str) -> Roster:
    return read_roster(text.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize(
    "text", [MOODLE, MOODLE_DE, MOODLE_UPLOAD, OPAL, SPREADSHEET, FULL, FULL.replace("\n", "\r")]
)
def test_the_exports_of_universities_are_read_whatever_they_are_written_in(
    text: str, encoding: str
) -> None:
    (entry,) = read_roster(text.encode(encoding)).entries
    assert entry.refused is None
    assert (entry.name, entry.person.full_name, entry.person.email) == (
        "zo12abc",
        "Zoë Öz",
        "zo12abc@x.de",
    )


@pytest.mark.parametrize(
    ("written", "budget_pico"),
    [("2,50", 25 * 10**11), ("2.50", 25 * 10**11), ("5", 5 * 10**12), ("1,000", None)],
)
def test_a_budget_is_read_with_a_decimal_comma_and_nothing_is_guessed(
    written: str, budget_pico: int | None
) -> None:
    (entry,) = read(f"username;budget\nada;{written}\n").entries
    assert entry.budget_pico == budget_pico
    assert (entry.refused is None) is (budget_pico is not None)


def test_it_is_told_as_what_a_list_was_read_and_which_columns_were_not() -> None:
    roster = read_roster(OPAL.encode("latin-1"))
    assert (roster.encoding, roster.ignored_columns) == (
        "Windows-1252",
        ("Matrikelnummer", "Institution"),
    )
    assert read_roster(b"account\nada\n").encoding == "UTF-8"
    assert read_roster("account\n\u201cada\u201d".encode("cp1252")).entries[0].name == "“ada”"
    assert read_roster(b"account\n\x81ada").encoding == "Latin-1"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "names no column"),
        ("\n\n", "names no column"),
        ("Vorname,Nachname\nAda,L\n", "names no column of accounts"),
        ("<html><body>", "names no column"),
        ("username,login\nada,ada\n", "Two columns mean the same: 'username' and 'login'"),
        ('username\n"ada\nbob\n', "Line 2 .* quotation mark"),
        ('username\n"ada"x\n', "Line 2 .* quotation mark"),
        ("username\n" + "x" * 200_000, "Line 2"),
        ("username\n" + "a\n" * (MOST_LINES + 1), "10,002 lines; at most 10,000"),
        ("u" * (MOST_BYTES + 1), "bytes"),
        ("u" * MOST_BYTES, "Line 1"),
        (";" * 1000, "names no column"),
        ("username\n\0", "no text"),
    ],
)
def test_a_file_that_is_no_roster_is_one_sentence(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as refused:
        read(text)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("data", [b"\xff\xfeu", b"\xfe\xff\xd8\x00", b"PK\x03\x04\0\0"])
def test_bytes_that_are_no_text_are_one_sentence(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no text|names no column"):
        read_roster(data)


HOSTILE = """username,full name,email,budget
<script>alert(1)</script>,<img src=x onerror=alert(1)>,a@x.de,1
=cmd|' /C calc'!A0,"=HYPERLINK(""http://x"")",b@x.de,1
"two
lines",A,c@x.de,1
esc\x1b[31m,A,d@x.de,1
ok1,\u202egnirts,e@x.de,1
ok2,A,not an address,1
ok3,A,f@x.de,-1
ok4,A,g@x.de,"5,000"
ok5,A,h@x.de,1e3
ada,A,i@x.de
ada,A,j@x.de,1,more
Ada,A,k@x.de,1
aDA,A,l@x.de,1

   ,A,m@x.de,1
deleted-1,A,n@x.de,1
\u2028,A,o@x.de,1
'; DROP TABLE accounts; --,A,p@x.de,1
""" + "x" * 101 + ",A,q@x.de,1\n"  # fmt: skip


def test_hostile_lines_are_refused_one_by_one_or_are_only_odd_names() -> None:
    entries = {entry.line: entry for entry in read(HOSTILE).entries}
    told = {line: entry.refused or entry.name for line, entry in entries.items()}
    assert {line: told[line] for line in (2, 3, 14, 20)} == {
        2: "<script>alert(1)</script>",
        3: "=cmd|' /C calc'!A0",
        14: "Ada",
        20: "'; DROP TABLE accounts; --",
    }
    for line, fault in {
        4: "printable", 6: "printable", 7: "printable", 8: "no e-mail", 9: "negative",
        10: "not an amount", 11: "not an amount", 12: "3 fields where the first one has 4",
        13: "5 fields", 15: "'aDA' stands in line 14 already", 17: "names no account",
        18: "deleted accounts", 19: "names no account", 21: "printable characters",
    }.items():  # fmt: skip
        assert entries[line].refused, line
        assert fault in told[line], (line, told[line])
    shown = "".join(entry.name + (entry.refused or "") for entry in entries.values())
    assert shown.isprintable()


@given(st.binary(max_size=300))
def test_no_bytes_at_all_do_more_than_a_sentence(data: bytes) -> None:
    for content in (data, b"username;e-mail\n" + data):
        with suppress(ValueError):
            entries = read_roster(content).entries
            assert all(entry.name.isprintable() for entry in entries)


def run(place: Place, act: Act) -> None:
    async def acting() -> None:
        async with place.store() as store:
            await act(Office(store, SECRET, "prof"))
            assert await store.read(books.differences) == []

    asyncio.run(acting())


def outcomes(report: Any) -> list[str]:
    return [line.outcome for line in report.lines]


def test_an_import_adds_corrects_and_keeps_and_a_second_one_changes_nothing(place: Place) -> None:
    first = "username;full name;email;budget\nada;Ada;a@x.de;\nbob;Bob;;2.50\nbad;;nowhere;\n"
    second = "username;full name;email\nADA;Ada King;\nbob;Bob;\nEve;Eve;e@x.de\n"

    async def act(office: Office) -> None:
        preview = await office.import_roster(first.encode(), dry_run=True, budget_usd="5")
        assert outcomes(preview) == ["added", "added", "refused"]
        assert (await office.accounts(), await office.audit(), preview.credentials) == ([], [], [])
        heard: list[int] = []
        done = await replace(office, progress=heard.append).import_roster(
            first.encode(), dry_run=False, budget_usd="5"
        )
        assert (outcomes(done), sum(heard)) == (outcomes(preview), 3)
        assert [(made.account.name, made.key) for made in done.credentials] == [
            ("ada", ""),
            ("bob", ""),
        ]
        rows = await execute(office.store, "SELECT name, password_hash FROM accounts ORDER BY id")
        assert all(
            password_is(made.password, row["password_hash"])
            for made, row in zip(done.credentials, rows, strict=True)
        )
        assert (await office.key_of(done.credentials[0].account.id) or [None])[-1]
        await office.set_course(default_budget_usd="1")
        again = await office.import_roster(second.encode(), dry_run=False)
        assert outcomes(again) == ["changed", "kept", "added"]
        assert [(account.name, account.full_name, account.email, account.budget_pico)
                for account in sorted(await office.accounts(), key=lambda account: account.id)] == [
            ("ada", "Ada King", "a@x.de", 5 * 10**12),
            ("bob", "Bob", "", 25 * 10**11),
            ("Eve", "Eve", "e@x.de", 10**12),
        ]  # fmt: skip
        for once_more in (second, second.replace("Eve;", "eve;", 1)):
            kept = await office.import_roster(once_more.encode(), dry_run=False)
            assert (outcomes(kept), kept.credentials) == (["kept"] * 3, [])
        assert len(await execute(office.store, "SELECT id FROM ledger")) == 3
        acts = [(entry.act, entry.account) for entry in reversed(await office.audit())]
        assert [name for name, _ in acts] == [
            "add_account", "add_account", "set_course", "edit", "add_account"
        ]  # fmt: skip

    run(place, act)


def test_a_roster_whose_new_accounts_have_no_budget_does_nothing(place: Place) -> None:
    async def act(office: Office) -> None:
        for lines, fault in (
            (b"ada,\nbob,5\n", "no budget for 'ada' .line 2"),
            (b"ada,4000000\nbob,4000000\n", "too much"),
        ):
            for dry_run in (True, False):
                with pytest.raises(ValueError, match=fault):
                    await office.import_roster(b"account,budget\n" + lines, dry_run=dry_run)
        assert await office.accounts() == []

    run(place, act)


def test_a_roster_with_scripts_and_formulas_for_names_is_kept_as_it_is_written(
    place: Place,
) -> None:
    async def act(office: Office) -> None:
        report = await office.import_roster(HOSTILE.encode(), dry_run=False)
        assert outcomes(report).count("added") == 4
        names = {account.name for account in await office.accounts()}
        assert names == {
            "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "Ada", "'; DROP TABLE accounts; --"
        }  # fmt: skip

    run(place, act)


def test_two_who_import_one_roster_at_once_add_each_account_once(place: Place) -> None:
    data = ("account\n" + "".join(f"student{number}\n" for number in range(60))).encode()

    async def act(office: Office) -> None:
        reports = await asyncio.gather(
            *(office.import_roster(data, dry_run=False, budget_usd="5") for _ in range(2))
        )
        made = [made.account.name for report in reports for made in report.credentials]
        assert sorted(made) == sorted(account.name for account in await office.accounts())
        assert len(set(made)) == 60
        told = {line.sentence for report in reports for line in report.lines if line.sentence}
        assert all("already" in str(sentence) for sentence in told)

    run(place, act)


def test_ten_thousand_lines_are_planned_in_bounded_time_and_each_is_told(tmp_path: Path) -> None:
    names = [f"student{number}" for number in range(MOST_LINES)]
    random.Random(5).shuffle(names)
    data = "\n".join(["account,email", *(f"{name},{name}@x.de" for name in names)]).encode()

    async def act(office: Office) -> None:
        async with asyncio.timeout(10):
            report = await office.import_roster(data, dry_run=True, budget_usd="5")
        assert report.count("added") == MOST_LINES
        assert [line.name for line in report.lines] == names

    run(Place(tmp_path), act)


@dataclass
class GoesAway:
    """A store whose database is away from the third write on."""

    store: Store
    writes: int = field(default=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def write(self, work: Any) -> Any:
        self.writes += 1
        if self.writes >= 3:
            raise StoreUnavailable("The database is away.")
        return await self.store.write(work)


def test_a_database_that_goes_away_half_way_loses_no_password_of_those_that_were_added(
    tmp_path: Path,
) -> None:
    lines = [*(f"student{number}" for number in range(90)), "deleted-1"]
    data = "\n".join(["account", *lines]).encode()

    async def act(office: Office) -> None:
        away: Any = GoesAway(office.store)
        report = await Office(away, SECRET, "prof").import_roster(
            data, dry_run=False, budget_usd="5"
        )
        added = {account.name for account in await office.accounts()}
        assert added == {made.account.name for made in report.credentials}
        assert report.count("added") == len(added) == 50
        refused = [line.sentence for line in report.lines if line.outcome == "refused"]
        assert set(refused[:-1]) == {
            "The database is away. Import the roster again: what was done is then kept."
        }
        assert "deleted accounts" in str(refused[-1])
        again = await office.import_roster(data, dry_run=False, budget_usd="5")
        assert (again.count("kept"), again.count("added")) == (50, 40)

    run(Place(tmp_path), act)
