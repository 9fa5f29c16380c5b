"""The sentence under a picture: once, below it, in its own cell; at once in a script."""

import pytest
from cells import Cell
from IPython.core.interactiveshell import InteractiveShell

from swsllm_nb.notebook.pictures.saying import say_under

SAY = "from swsllm_nb.notebook.pictures.saying import say_under"


def test_in_a_cell_it_comes_last_and_only_once(bare_shell: InteractiveShell) -> None:
    first = Cell(bare_shell, f"{SAY}\nsay_under('What it says.')\nprint('a line of the cell')")
    assert first.shown.split("\n")[:2] == ["a line of the cell", "What it says."]
    assert "What it says." not in Cell(bare_shell, "print('the next cell')").shown


def test_two_pictures_have_their_sentences_in_their_order(bare_shell: InteractiveShell) -> None:
    cell = Cell(bare_shell, f"{SAY}\nsay_under('One.'); say_under('Two.')")
    assert cell.shown.startswith("One.\nTwo.\n")


def test_a_cell_that_fails_afterwards_says_it_all_the_same(bare_shell: InteractiveShell) -> None:
    assert "Said." in Cell(bare_shell, f"{SAY}\nsay_under('Said.')\n1/0").shown


def test_in_a_script_it_is_printed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    say_under("What it says.")
    assert capsys.readouterr().out == "What it says.\n"
