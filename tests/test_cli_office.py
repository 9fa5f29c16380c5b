"""The words at the prompt for what staff do on the page, and what scripts can rely on."""

import csv
import io
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from proxies import clean_environment

from swsllm_nb.cli import commands
from swsllm_nb.proxy.auth import initial_password_is

ROSTER = "Benutzername;Vorname;Nachname;E-Mail\nada;Ada;King;a@x.de\nbob;=1+1;;b@x.de\n"
BAD_LINE = "eve;Eve;Öz;nowhere\n"


class Prompt:
    """A course in a folder, and the commands of whoever sits before it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, text: str | bytes | None = None) -> Result:
        environment = {"SWSLLM_DATA": str(self.folder)}
        return CliRunner(env=environment).invoke(commands, words, input=text)

    def told(self, *words: str, text: str | bytes | None = None, exit_code: int = 0) -> Any:
        ran = self.run(*words, "--json", text=text)
        assert ran.exit_code == exit_code, ran.output
        return json.loads(ran.stdout)

    def fault(self, *words: str) -> str:
        ran = self.run(*words)
        assert ran.exit_code == 1, ran.output
        assert ran.stderr.startswith("Error: ")
        assert len(ran.stderr.splitlines()) == 1
        return ran.stderr


@pytest.fixture
def prompt(tmp_path: Path) -> Prompt:
    """A new course."""
    sat_down = Prompt(tmp_path / "course")
    sat_down.told("migrate")
    return sat_down


@pytest.fixture
def course(prompt: Prompt) -> Prompt:
    """With two accounts."""
    prompt.told("course", "set", "--default-budget", "5")
    prompt.told("account", "import", "-", text=ROSTER)
    return prompt


def table(document: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(document.removeprefix("\ufeff"), "")))


def test_a_roster_is_tried_imported_and_imported_again(prompt: Prompt) -> None:
    assert "no budget" in prompt.fault("account", "import", str(roster(prompt, ROSTER)))
    words = ("account", "import", "-", "--budget", "2.50")
    tried = prompt.told(*words, "--dry-run", text=ROSTER)
    assert [line["outcome"] for line in tried["lines"]] == ["added", "added"]
    assert prompt.told("account", "list") == []
    done = prompt.told(*words, text=ROSTER)
    assert [(line["account"], line["budget_usd"]) for line in done["lines"]] == [
        ("ada", "2.50"),
        ("bob", "2.50"),
    ]
    assert all(len(line["password"]) == 19 for line in done["lines"])
    again = prompt.told(*words, text=ROSTER.replace("King", "Lovelace") + BAD_LINE, exit_code=1)
    assert [(line["outcome"], line["password"]) for line in again["lines"]] == [
        ("changed", None),
        ("kept", None),
        ("refused", None),
    ]
    assert prompt.told("account", "show", "ada")["full_name"] == "Ada Lovelace"


def test_no_course_is_made_by_a_mistyped_folder(tmp_path: Path) -> None:
    lost = Prompt(tmp_path / "corse")
    path = str(roster(lost, ROSTER))
    for words in (["audit"], ["usage", "export"]):
        assert "no course" in lost.fault(*words)
    tried = lost.run("account", "import", path, "--dry-run", "--budget", "5")
    assert tried.stdout.endswith("2 added, 0 changed, 0 kept, 0 refused\n")
    assert f"no course in {lost.folder} yet; the import would make one" in tried.stderr
    assert not lost.folder.exists()


def roster(prompt: Prompt, text: str) -> Path:
    path = prompt.folder.parent / "roster.csv"
    path.write_text(text, "latin-1")
    return path


def test_a_report_stands_beside_the_passwords_and_not_among_them(course: Prompt) -> None:
    path = str(roster(course, ROSTER.replace("ada", "carl") + BAD_LINE))
    ran = course.run("account", "import", path)
    assert ran.exit_code == 1
    (row,) = table(ran.stdout)
    assert (row["account"], row["full_name"], row["budget_usd"]) == ("carl", "Ada King", "5.00")
    assert "'nowhere' is no e-mail address." in ran.stderr
    assert ran.stderr.endswith("1 added, 0 changed, 1 kept, 1 refused\n")
    assert row["password"] not in ran.stderr
    tried = course.run("account", "import", path, "--dry-run")
    assert "'nowhere'" in tried.stdout


def test_passwords_on_paper_and_in_a_sheet_are_for_their_owner_alone(course: Prompt) -> None:
    course.told("course", "set", "--name", "Sprachmodelle", "--language", "de")
    paper = course.folder / "slips.txt"
    words = ("account", "password", "--all", "--output")
    address = "https://llm.uni.example/p"
    slips = course.run(*words, str(paper), "--sheet", "--public-url", address)
    assert (slips.exit_code, slips.stdout) == (0, "")
    if os.name == "posix":
        assert stat.S_IMODE(paper.stat().st_mode) == 0o600
    text = paper.read_text("utf-8")
    assert text.count("Erstes Passwort") == text.count(address) == text.count("Sprachmodelle") == 2
    sheet = course.folder / "passwords.csv"
    assert course.run(*words, str(sheet)).exit_code == 0
    rows = table(sheet.read_text("utf-8"))
    assert [row["full_name"] for row in rows] == ["Ada King", "'=1+1"]
    assert not [row for row in rows if row["password"] in text]
    before = sheet.read_bytes()
    assert "already" in course.fault(*words, str(sheet))
    assert sheet.read_bytes() == before


def test_no_file_is_left_where_nobody_got_a_password(course: Prompt) -> None:
    path = course.folder / "none.csv"
    assert "no account 'eve'" in course.fault("account", "password", "eve", "-o", str(path))
    assert not path.exists()
    fault = course.fault("account", "import", str(roster(course, "no;heading\n")), "-o", str(path))
    assert "names no column of accounts" in fault
    assert not path.exists()


INTERRUPTED = """
import os, signal
from swsllm_nb.cli import main
from swsllm_nb.proxy.store import Store

write = Store.write

async def write_and_press_ctrl_c(self, work):
    done = await write(self, work)
    if isinstance(done, list):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    return done

Store.write = write_and_press_ctrl_c
main()
"""
"""Ctrl-C, twice, in the moment after accounts were added, when nobody knows their passwords yet."""


def swsllm(
    course: Prompt, *words: str, program: Sequence[str] = ("-m", "swsllm_nb"), **options: Any
) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *program, *words], stderr=subprocess.PIPE, text=True,
        env=clean_environment(SWSLLM_DATA=str(course.folder)), **options,
    )  # fmt: skip


def class_of(course: Prompt, size: int) -> str:
    return str(roster(course, "account\n" + "".join(f"s{number}\n" for number in range(size))))


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_in_an_import_leaves_no_account_whose_password_nobody_has(course: Prompt) -> None:
    sheet = course.folder / "passwords.csv"
    words = ("account", "import", class_of(course, 100), "-o", str(sheet))
    process = swsllm(course, *words, program=["-c", INTERRUPTED])
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1, told
    assert "Traceback" not in told
    given = table(sheet.read_text("utf-8"))
    accounts = {row["account"] for row in course.told("account", "list")} - {"ada", "bob"}
    assert len(accounts) == 25
    assert {row["account"] for row in given} == accounts
    with closing(sqlite3.connect(course.folder / "swsllm.sqlite3")) as database:
        hashes = dict(database.execute("SELECT name, password_hash FROM accounts").fetchall())
    assert all(initial_password_is(row["password"], hashes[row["account"]]) for row in given)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to a disk that is full")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_passwords_that_cannot_be_written_are_said_by_name(course: Prompt, more: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        process = swsllm(course, "account", "import", class_of(course, 30), *more, stdout=full)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told.startswith("Error: The passwords of s0, s1, s2")
    assert "No space left on device" in told
    assert len(told.splitlines()) == 1
    told_names = told.strip().partition("swsllm account password ")[2].split()
    accounts = {row["account"] for row in course.told("account", "list")} - {"ada", "bob"}
    assert set(told_names) == accounts


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe")
def test_new_passwords_into_a_closed_pipe_are_said_by_name(course: Prompt) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = swsllm(course, "account", "password", "--all", stdout=writing)
    os.close(writing)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, len(told.splitlines())) == (1, 1)
    assert told.endswith("Make new ones: swsllm account password ada bob\n")


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe")
def test_a_reader_that_has_seen_enough_ends_a_listing_without_a_word(course: Prompt) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = swsllm(course, "account", "list", stdout=writing)
    os.close(writing)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 1


def test_a_selection_is_named_or_all_and_one_that_cannot_makes_exit_code_1(
    course: Prompt,
) -> None:
    done = course.told("account", "disable", "ada", "nobody", "bob", exit_code=1)
    assert [(row["account"], row["done"]) for row in done] == [
        ("ada", True),
        ("nobody", False),
        ("bob", True),
    ]
    assert done[0]["now"]["enabled"] is False
    assert [row["done"] for row in course.told("account", "enable", "--all")] == [True, True]
    granted = course.told("budget", "grant", "--all", "-1.50", "--reason", "too much")
    assert [row["now"]["budget_usd"] for row in granted] == ["3.50", "3.50"]
    assert course.told("account", "limit", "ada", "--per-minute", "3")["per_minute_limit"] == 3
    renewed = course.told("key", "renew", "--all")
    assert "sws-" not in json.dumps(renewed)
    for words in (["account", "disable"], ["account", "enable", "ada", "--all"]):
        ran = course.run(*words)
        assert (ran.exit_code, "State accounts by name" in ran.stderr) == (2, True)


def test_an_account_is_set_and_deleted_with_all_that_names_its_person(course: Prompt) -> None:
    words = ("--name", "countess", "--full-name", "", "--email", "c@x.de")
    assert course.told("account", "set", "ada", *words)["account"] == "countess"
    shown = course.told("account", "show", "countess")
    assert (shown["full_name"], shown["email"]) == (None, "c@x.de")
    assert "Nothing to change" in course.fault("account", "set", "bob")
    assert course.run("account", "delete", "countess", "bob", text="n\n").exit_code == 1
    gone = course.told("account", "delete", "countess", "bob", "--yes")
    assert [row["now"]["account"] for row in gone] == ["deleted-1", "deleted-2"]
    assert course.told("account", "list") == []
    trail = course.run("audit").stdout
    assert "deleted-1" in trail
    assert "countess" not in trail
    assert "ada" not in trail


def test_the_course_is_set_shown_and_emptied_by_word(prompt: Prompt) -> None:
    words = {
        "name": "SWS", "begins": "2026-10-01", "ends": "2027-03-31", "contact": "P 901",
        "language": "en", "default-budget": "5", "models": "gpt-4o", "cap": "100",
        "retention-days": "90",
    }  # fmt: skip
    stated = [text for word, value in words.items() for text in (f"--{word}", value)]
    described = {
        "course": "SWS", "begins": "2026-10-01", "ends": "2027-03-31", "contact": "P 901",
        "language": "en", "default_budget_usd": "5.00", "default_models": ["gpt-4o-2024-11-20"],
        "cap_usd": "100.00", "retention_days": 90, "keys_shown_once": False,
    }  # fmt: skip
    assert prompt.told("course", "set", *stated) == described
    sums = {"budget_usd": "0.00", "spend_usd": "0.00", "reserved_usd": "0.00"}
    assert prompt.told("course", "show") == {**described, **sums}
    emptied = [text for word in words for text in (f"--{word}", "")]
    assert set(prompt.told("course", "set", *emptied).values()) == {None, False}
    assert prompt.told("course", "set", "--keys-shown-once", "yes")["keys_shown_once"] is True
    assert "Nothing to change" in prompt.fault("course", "set")


def test_a_model_is_added_and_retired(course: Prompt) -> None:
    new = "gpt-9-2027-01-01"
    words = ("--input", "1", "--output", "2", "--alias", "gpt-9", "--alias", "nine", "--enable")
    added = course.told("model", "add", new, "--like", "gpt-4o", *words)
    assert (added["enabled"], added["aliases"]) == (True, ["gpt-9", "nine"])
    assert course.told("model", "set", "nine", "--alias", "")["aliases"] == []
    retired = course.told("model", "retire", "gpt-4o", "--on", "2027-01-14", "--successor", new)
    assert (retired["shutdown_date"], retired["successor"]) == ("2027-01-14", new)
    assert "already" in course.fault("model", "add", new)


def test_staff_get_passwords_and_keys_and_lose_them(prompt: Prompt) -> None:
    made = prompt.told("staff", "add", "jo")
    assert set(made) == {"staff", "password"}
    assert prompt.told("staff", "password", "jo")["password"] != made["password"]
    assert prompt.told("staff", "key", "jo")["key"].startswith("sws-")
    assert prompt.told("staff", "list")[0]["keys"] == 1
    assert prompt.told("staff", "key", "jo", "--revoke")["keys_revoked"] == 1
    assert prompt.told("staff", "disable", "jo")["enabled"] is False
    assert prompt.told("staff", "enable", "jo")["enabled"] is True
    assert "no member of staff 'eve'" in prompt.fault("staff", "key", "eve")
    acts = [entry["act"] for entry in prompt.told("audit", "--limit", "2")]
    assert acts == ["enable_teacher", "disable_teacher"]


def test_what_the_class_was_charged_is_summed_up_at_the_prompt(course: Prompt) -> None:
    (whole,) = course.told("usage", "spend")
    assert (whole["calls"], whole["cost_usd"]) == (0, "0.00")
    assert course.told("usage", "spend", "--by", "day,account", "--since", "2026-11-01") == []
    assert "is not told by 'key'" in course.fault("usage", "spend", "--by", "key")


def test_the_ledger_is_exported_for_spreadsheets_and_for_scripts(course: Prompt) -> None:
    course.told("account", "set", "bob", "--name", "=1+1")
    course.told("budget", "grant", "ada", "-0.5", "--reason", "@SUM(A1)")
    rows = table(course.run("usage", "export").stdout)
    assert [(row["account"], row["granted_usd"], row["reason"]) for row in rows] == [
        ("ada", "5.00", "first budget"),
        ("'=1+1", "5.00", "first budget"),
        ("ada", "-0.50", "'@SUM(A1)"),
    ]
    lines = course.run("usage", "export", "--account", "ada", "--json").stdout.splitlines()
    assert [json.loads(line)["granted_usd"] for line in lines] == ["5.00", "-0.50"]
    path = course.folder / "ledger.csv"
    assert course.run("usage", "export", "--until", "2020-01-01", "-o", str(path)).stdout == ""
    assert table(path.read_text("utf-8")) == []
    assert "no account 'eve'" in course.fault("usage", "export", "--account", "eve")
    assert "is not a day" in course.fault("usage", "export", "--since", "yesterday")


def test_accounts_are_searched_sorted_and_told_with_how_they_stand(course: Prompt) -> None:
    course.told("course", "set", "--contact", "P 901")
    course.told("budget", "grant", "bob", "-4", "--reason", "less")
    rows = course.told("account", "list", "--sort", "budget")
    assert [(row["account"], row["status"], row["contact"]) for row in rows] == [
        ("bob", "active", "P 901"),
        ("ada", "active", "P 901"),
    ]
    assert [row["account"] for row in course.told("account", "list", "--search", "KING")] == ["ada"]
    assert "not sorted by" in course.fault("account", "list", "--sort", "colour")
    assert "No account is" in course.fault("account", "list", "--status", "tired")
    assert course.run("account", "list", "--status", "ended").stdout == ""


def test_what_was_refused_to_an_account_is_shown_with_it(course: Prompt) -> None:
    assert "Refused" not in course.run("account", "show", "ada").stdout
    with sqlite3.connect(course.folder / "swsllm.sqlite3") as connection:
        connection.execute(
            "INSERT INTO refusals VALUES (1, '2026-11-23T09', 'insufficient_quota', 'gpt-4o', 3, "
            "'2026-11-23T09:30:00Z')"
        )
    connection.close()
    (refused,) = course.told("account", "show", "ada")["refusals"]
    assert (refused["code"], refused["model"], refused["refusals"]) == (
        "insufficient_quota", "gpt-4o", 3,
    )  # fmt: skip
    shown = course.run("account", "show", "ada").stdout
    assert re.search(r"Refused:\n *hour +code .*\n2026-11-23T09 +insufficient_quota", shown)


def test_all_that_is_kept_of_one_student_is_told_and_no_secret(course: Prompt) -> None:
    record = json.loads(course.run("account", "export", "ada").stdout)
    assert record["account"]["email"] == "a@x.de"
    assert [row["granted_usd"] for row in record["ledger"]] == ["5.00"]
    assert [act["act"] for act in record["acts"]] == ["add_account", "export_record"]
    assert "argon2" not in json.dumps(record)
    assert "no account 'eve'" in course.fault("account", "export", "eve")
    assert course.told("audit", "--limit", "1")[0]["act"] == "export_record"
    course.run("usage", "export", "--account", "ada")
    (entry,) = course.told("audit", "--limit", "1")
    assert (entry["act"], entry["account"]) == ("export_ledger", "ada")


def test_the_class_and_the_invoice_are_told_at_the_prompt(course: Prompt) -> None:
    seen = course.told("course", "overview")
    assert seen["sums"]["budget_usd"] == "10.00"
    assert [row["account"] for row in seen["idle"]] == ["ada", "bob"]
    text = course.run("course", "overview").stdout
    assert "Near the limit: nobody" in text
    assert "ada" in text
    days = ("ledger", "invoice", "--since", "2026-11-01", "--until", "2026-11-30")
    assert course.told(*days)["agrees"] is None
    assert course.told(*days, "--billed", "0")["agrees"] is True
    wrong = course.told(*days, "--billed", "0.01", exit_code=1)
    assert (wrong["most_usd"], wrong["above_usd"], wrong["agrees"]) == ("0.00", "0.01", False)
    assert "No day is from 2026-11-01 on" in course.fault(*days[:-1], "2026-10-31")
    assert "-1 cannot have been billed" in course.fault(*days, "--billed", "-1")
    for unclear in (days[:2], days[:4], (*days, str(roster(course, "")))):
        assert course.run(*unclear).exit_code == 2


def test_a_course_on_postgresql_has_the_same_words(
    prompt: Prompt, fresh_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_DATABASE", fresh_database())
    words = ("account", "import", "-", "--budget", "1")
    made = prompt.told(*words, text=ROSTER)
    assert [line["outcome"] for line in made["lines"]] == ["added", "added"]
    prompt.told("budget", "grant", "--all", "0.5", "--reason", "more")
    assert [row["budget_usd"] for row in prompt.told("account", "list")] == ["1.50", "1.50"]
    assert len(table(prompt.run("usage", "export").stdout)) == 4
    assert prompt.told("ledger", "check")["adds_up"] is True


def every_command(
    group: click.Group = commands, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from every_command(command, (*words, name))
        else:
            yield (*words, name), command


def test_every_command_says_what_it_does_and_what_each_of_its_options_is() -> None:
    for words, command in every_command():
        assert command.help, words
        for parameter in command.params:
            if isinstance(parameter, click.Option) and "/" not in str(parameter.secondary_opts):
                assert parameter.help or parameter.secondary_opts, (words, parameter.opts)


def test_each_command_that_acts_on_a_course_prints_json_for_scripts() -> None:
    for words, command in every_command():
        names = {parameter.name for parameter in command.params}
        if "folder" in names and words not in [("lab",), ("serve",), ("account", "export")]:
            assert "as_json" in names, words


def test_a_bar_is_drawn_on_a_terminal_alone(prompt: Prompt) -> None:
    many = "account\n" + "\n".join(f"student{number}" for number in range(60))
    ran = prompt.run("account", "import", "-", "--budget", "1", text=many)
    assert (ran.exit_code, ran.stderr.count("%")) == (0, 0)
    assert len(table(ran.stdout)) == 60


def test_a_missing_roster_and_an_unknown_option_are_wrong_usage(course: Prompt) -> None:
    for words in (("account", "import", "none.csv"), ("course", "set", "--caps")):
        ran = course.run(*words)
        assert (ran.exit_code, ran.stderr.partition(" ")[0]) == (2, "Usage:")
