"""CSV for spreadsheets: exact, readable, and harmless whatever a name is."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from apps import SECRET, Course
from hypothesis import given
from hypothesis import strategies as st
from stores import execute
from visitors import visiting

from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.sheets import Dollars, sheet


def cells_of(document: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(document.decode("utf-8-sig"), ""), delimiter=delimiter))


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+1", "-1", "@SUM(A1)", "  =1+1", "\t=1", "\r=1", '"=1', '""=1', "＝1", "－1", "＠A"],
)
def test_an_apostrophe_stands_before_the_sign_that_would_begin_a_formula(name: str) -> None:
    ((written,),) = cells_of(sheet([], [[name]]))[1:]
    assert written.replace("'", "", 1) == name
    assert written.lstrip(' \t\r"').startswith("'")


@pytest.mark.parametrize("name", ["Anna-Lena", "a@uni.example", "O'Neil", "2027-01-14", "Müller"])
def test_an_ordinary_text_stays_as_it_is(name: str) -> None:
    assert cells_of(sheet([], [[name]]))[1:] == [[name]]


@given(
    st.lists(st.text(st.sampled_from("=+-@,;|\t\r\n\"' \0x"), max_size=8), min_size=1, max_size=3)
)
def test_whatever_a_reader_takes_for_the_end_of_a_cell_no_cell_is_a_formula(
    texts: list[str],
) -> None:
    for language in ("en", "de"):
        for delimiter in ",;|\t":
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
                lines = sheet([], [texts], language).decode("utf-8-sig")
                rows = csv.reader(io.StringIO(lines, ""), delimiter=delimiter, quoting=quoting)
                for cell in (cell for row in rows for cell in row):
                    assert not cell.lstrip(' \t\r\n"').startswith(tuple("=+-@")), lines


def test_numbers_are_numbers_in_both_languages_and_exact() -> None:
    row = ["Ada", 1250, Dollars(-1_250_000_000_001), Decimal("0.35"), None]
    header = ["name", "calls", "spend", "share", "last call"]
    english = sheet(header, [row])
    assert english.startswith(b"\xef\xbb\xbfname,")
    assert cells_of(english)[1] == ["Ada", "1250", "-1.250000000001", "0.35", ""]
    german = sheet(header, [row], "de")
    assert cells_of(german, ";")[1] == ["Ada", "1250", "-1,250000000001", "0,35", ""]


def test_the_csv_of_usage_holds_no_formula_either(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        await Office(served.store, SECRET, "a test").grant(["ada"], "-1", "=1+1")
        await execute(served.store, "UPDATE ledger SET exercise = '=2+2'")
        async with served.client() as client:
            table = (await client.get("/usage", headers={"accept": "text/csv"})).text
        last = list(csv.DictReader(io.StringIO(table)))[-1]
        assert (last["reason"], last["granted_usd"]) == ("'=1+1", "-1.00")
        assert last["exercise"] == "'=2+2"

    visiting(tmp_path, act)
