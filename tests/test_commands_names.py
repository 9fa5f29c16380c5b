"""Whose ``%%llm`` it is: where another extension has the name, ours get a second one."""

from collections.abc import Iterator

import pytest
from cells import Cell
from fake_openai import FakeOpenAI
from IPython.core.interactiveshell import InteractiveShell

import swsllm_nb


def theirs(line: str, cell: str = "") -> None:
    print(f"theirs: {line!r} {cell!r}")


@pytest.fixture
def taken_shell(bare_shell: InteractiveShell) -> Iterator[InteractiveShell]:
    """A shell in which another extension has both names."""
    for kind in ("cell", "line"):
        bare_shell.register_magic_function(theirs, kind, "llm")
    return bare_shell


def test_the_other_extension_keeps_its_name_and_ours_get_a_second(
    connected: FakeOpenAI, taken_shell: InteractiveShell
) -> None:
    said = Cell(taken_shell, "%load_ext swsllm_nb").shown
    assert said.strip().count("\n") == 0
    assert "%%llm belongs to another extension here" in said
    assert "%%swsllm" in said
    assert "theirs" in Cell(taken_shell, "%%llm\nHi").shown
    assert "theirs" in Cell(taken_shell, "%llm status").shown
    assert not connected.requests
    Cell(taken_shell, "# mine\n%%swsllm -t 0\nIs it?").result.raise_error()
    assert connected.requests[0].body["messages"][-1]["content"] == "Is it?"
    assert connected.base_url in Cell(taken_shell, "%swsllm").shown
    assert Cell(taken_shell, "%load_ext swsllm_nb").shown.count("belongs to") == 0


def test_after_unloading_theirs_are_still_there(taken_shell: InteractiveShell) -> None:
    Cell(taken_shell, "%load_ext swsllm_nb").result.raise_error()
    swsllm_nb.unload_ipython_extension(taken_shell)
    assert "theirs" in Cell(taken_shell, "%%llm\nHi").shown
    assert taken_shell.find_cell_magic("swsllm") is None
    assert taken_shell.find_line_magic("swsllm") is None


def test_who_took_the_name_after_us_keeps_it_when_ours_are_unloaded(
    shell: InteractiveShell,
) -> None:
    shell.register_magic_function(theirs, "cell", "llm")
    swsllm_nb.unload_ipython_extension(shell)
    assert "theirs" in Cell(shell, "%%llm\nHi").shown
    assert shell.find_line_magic("llm") is None


def test_loading_says_nothing_where_the_name_is_free(bare_shell: InteractiveShell) -> None:
    assert Cell(bare_shell, "%load_ext swsllm_nb").shown.strip() == ""
    Cell(bare_shell, "%unload_ext swsllm_nb").result.raise_error()
    assert Cell(bare_shell, "%load_ext swsllm_nb").shown.strip() == ""
    assert bare_shell.find_cell_magic("llm") is not None


def test_it_is_said_in_german_too(
    taken_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    assert "gehört hier einer anderen Erweiterung" in Cell(taken_shell, "%load_ext swsllm_nb").shown
