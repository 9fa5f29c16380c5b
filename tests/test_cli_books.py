"""The books at the prompt: the invoice against the ledger, and one student's record."""

import json
from pathlib import Path

from test_cli_office import Prompt, course, prompt

__all__ = ["course", "prompt"]


def test_an_invoice_is_held_against_the_ledger_day_by_day(course: Prompt, tmp_path: Path) -> None:
    bill = tmp_path / "cost.csv"
    bill.write_text("day,usd\n2026-11-02,0.25\n", "utf-8")
    day, total = course.told("ledger", "invoice", str(bill), exit_code=1)
    assert (day["day"], day["billed_usd"], day["most_usd"]) == ("2026-11-02", "0.25", "0.00")
    assert (total["day"], total["above_usd"], total["below_usd"]) == ("in all", "0.25", "0.00")
    bill.write_text("day,usd\n2026-11-02,0\n", "utf-8")
    assert course.run("ledger", "invoice", str(bill)).exit_code == 0
    bill.write_text("nothing", "utf-8")
    assert "no column with a day" in course.fault("ledger", "invoice", str(bill))


def test_the_record_of_a_student_is_printed_for_them(course: Prompt) -> None:
    course.told("course", "set", "--name", "SWS")
    record = json.loads(course.run("account", "export", "ada").stdout)
    assert record["account"]["full_name"] == "Ada King"
    assert record["account"]["course"] == "SWS"
    assert [row["granted_usd"] for row in record["ledger"]] == ["5.00"]
    assert "no account 'eve'" in course.fault("account", "export", "eve")


def test_the_check_of_the_ledger_proves_the_days_as_well(course: Prompt) -> None:
    assert course.told("ledger", "check")["wrong_days"] == []
