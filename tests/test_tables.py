"""Tables of the page: found, sorted and paged on the server, from any address."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swsllm_nb.proxy.tables import Asked, Column, Table


@dataclass(frozen=True)
class Student:
    name: str
    spend: int
    last_call: str | None = None


TABLE = Table[Student](
    columns=(
        Column("name", lambda row: row.name),
        Column("spend", lambda row: row.spend),
        Column("last", lambda row: row.last_call),
    ),
    text=lambda row: row.name,
    filters={"spent": lambda row: row.spend > 0},
    page_rows=2,
)
ROWS = [
    Student("Zoë Ærø", 3, "2027-01-01"),
    Student("Öztürk, Ada", 10),
    Student("Müller, Émile", 2, "2027-01-02"),
    Student("anna", 0),
    Student("Straße, Bo", 7, "2026-12-01"),
]


def names(asked: Asked) -> list[str]:
    return [row.name.split()[0] for row in TABLE.find(ROWS, asked)]


def test_names_are_sorted_as_people_sort_them() -> None:
    assert names(Asked()) == ["anna", "Müller,", "Öztürk,", "Straße,", "Zoë"]


def test_numbers_are_sorted_as_numbers_and_the_other_way_round() -> None:
    assert names(Asked(sort="spend")) == ["anna", "Müller,", "Zoë", "Straße,", "Öztürk,"]
    assert names(Asked(sort="-spend"))[0] == "Öztürk,"


def test_who_never_called_comes_last_both_ways() -> None:
    assert names(Asked(sort="last"))[3:] == ["Öztürk,", "anna"]
    assert names(Asked(sort="-last")) == ["Müller,", "Zoë", "Straße,", "Öztürk,", "anna"]


@pytest.mark.parametrize("search", ["muller", "MÜLLER emile", "  émile müller "])
def test_a_search_finds_all_its_words_in_any_case_with_or_without_accents(search: str) -> None:
    assert names(Asked.of({"q": search})) == ["Müller,"]


def test_sharp_s_and_its_two_letters_find_each_other() -> None:
    assert names(Asked(search="strasse")) == names(Asked(search="straße")) == ["Straße,"]


def test_a_filter_and_a_search_hold_together() -> None:
    assert names(Asked(only="spent", search="a")) == ["Öztürk,", "Straße,"]


def test_pages_lead_to_each_other_and_keep_what_was_asked() -> None:
    shown = TABLE.show(ROWS, Asked.of({"q": "r", "sort": "-spend", "page": "2"}))
    assert [row.name for row in shown.rows] == ["Zoë Ærø", "Müller, Émile"]
    assert (shown.first, shown.last, shown.found, shown.page, shown.pages) == (3, 4, 4, 2, 2)
    assert shown.previous == "?q=r&sort=-spend"
    assert shown.next is None
    assert shown.limited_to("spent") == "?q=r&only=spent&sort=-spend"


def test_a_columns_title_sorts_and_once_more_turns_round() -> None:
    shown = TABLE.show(ROWS, Asked(sort="spend", page=2))
    assert shown.sorted_by("spend") == "?sort=-spend"
    assert shown.sorted_by("name") == "?sort=name"
    assert (shown.order("spend"), shown.order("name")) == ("ascending", None)


def test_an_empty_table_is_a_page_too() -> None:
    shown = TABLE.show([], Asked())
    assert (shown.first, shown.last, shown.found, shown.pages) == (0, 0, 0, 1)


@given(
    st.dictionaries(
        st.sampled_from(["q", "only", "sort", "page"]),
        st.one_of(
            st.text("aé²=&\0 "), st.sampled_from(["-spend", "last", "spent", "0", "999", "²", "-1"])
        ),
    )
)
def test_any_address_shows_a_page_of_the_table(query: dict[str, str]) -> None:
    shown = TABLE.show(ROWS, Asked.of(query))
    assert 1 <= shown.page <= shown.pages
    assert len(shown.rows) == min(2, shown.found - 2 * (shown.page - 1))
    again = TABLE.show(ROWS, shown.asked)
    assert again == shown
