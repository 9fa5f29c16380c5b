"""``%%llm`` in IPython under a terminal: text while it comes, Ctrl-C, and nothing that it obeys."""

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_openai import FakeOpenAI, Scripted
from proxies import clean_environment

import swsllm_nb

pexpect = pytest.importorskip("pexpect", reason="there are no pseudo-terminals here")

ATTACK = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b1A\r\u202eback"
OPTIONS = (
    "--simple-prompt",
    "--no-banner",
    "--no-confirm-exit",
    "--colors=NoColor",
    "--HistoryManager.enabled=False",
)


@pytest.fixture
def terminal(connected: FakeOpenAI, tmp_path: Path) -> Iterator[Any]:
    ours = {name: os.environ[name] for name in ("SWSLLM_BASE_URL", "SWSLLM_API_KEY")}
    python_path = str(Path(swsllm_nb.__file__).parents[1])
    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", *OPTIONS],
        cwd=str(tmp_path),
        env=clean_environment(**ours, PYTHONPATH=python_path, TERM="xterm", NO_COLOR="1"),
        encoding="utf-8",
        timeout=20,
        dimensions=(40, 200),
        echo=False,
    )
    child.expect_exact("In [1]: ")
    child.sendline("%load_ext swsllm_nb")
    child.expect_exact("In [2]: ")
    yield child
    child.close(force=True)


def ask(terminal: Any, magic: str = "%%llm") -> None:
    """At a simple prompt a cell ends with two empty lines."""
    terminal.sendline(magic)
    terminal.sendline("Why?\n\n")


def test_an_answer_is_printed_while_it_comes_and_its_cost_below(
    connected: FakeOpenAI, terminal: Any
) -> None:
    connected.answers.append(Scripted(chunks=("One ", "two ", "**three**"), hang="before usage"))
    ask(terminal)
    terminal.expect_exact("One two **three**")
    terminal.sendintr()
    terminal.expect_exact("In [3]: ")
    cost = {"cost_usd": "0.0001", "remaining_usd": "3.91", "budget_usd": "5.00"}
    connected.answers.append(Scripted(text="A **bold** answer.", cost=cost))
    ask(terminal)
    terminal.expect_exact("In [4]: ")
    shown = terminal.before.replace("\r\n", "\n")
    footnote = r"gpt-4o-mini · 12 in \+ 6 out · \$0\.0001 · \$3\.91 of \$5\.00 left"
    assert re.search(rf"A \*\*bold\*\* answer\. ?\n{footnote}\n", shown), shown
    assert shown.count("bold") == 1


def test_ctrl_c_gives_the_prompt_back_within_a_second_with_one_sentence(
    connected: FakeOpenAI, terminal: Any
) -> None:
    connected.answers.append(Scripted(text="One two three", hang="mid stream"))
    ask(terminal)
    terminal.expect_exact("One")
    stopped_at = time.monotonic()
    terminal.sendintr()
    terminal.expect_exact("In [3]: ")
    seconds = time.monotonic() - stopped_at
    assert seconds < 1
    assert "incomplete" in terminal.before
    assert terminal.before.count("Interrupted: ") == 1
    assert "Traceback" not in terminal.before
    assert connected.client_left.wait(10)
    terminal.sendline("1 + 1")
    terminal.expect_exact("2")


def test_no_escape_of_the_models_reaches_the_terminal(connected: FakeOpenAI, terminal: Any) -> None:
    connected.answers.append(Scripted(chunks=("a", ATTACK, "The end."), model=f"m{ATTACK}"))
    ask(terminal)
    terminal.expect_exact("In [3]: ")
    shown = terminal.before.replace("\r\n", "\n")
    assert "The end." in shown
    assert not set(shown) & set("\x1b\x07\x9b\r\u202e")


def test_several_models_stand_below_one_another(connected: FakeOpenAI, terminal: Any) -> None:
    ask(terminal, "%%llm -m gpt-4o-mini,gpt-4o")
    terminal.expect_exact("In [3]: ")
    assert terminal.before.count("Hello from the stub.") == 2
    assert "Column(" not in terminal.before
