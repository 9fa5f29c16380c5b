"""The notebook on three servers: our proxy, one that has only chat completions, and a foreign one.

The second refuses ``stream_options`` and knows no account, no usage and no list of models.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cells import Cell
from fake_openai import FakeOpenAI, Scripted
from foreign import ANSWER, MINI, UPSTREAM_KEY
from IPython.core.interactiveshell import InteractiveShell
from proxies import running_proxy

import swsllm_nb
from swsllm_nb.notebook.answer import Answer
from swsllm_nb.notebook.errors import CallFailed

COST_SOURCES = {"proxy": "proxy", "only chat": "estimated", "foreign": "computed"}


@pytest.fixture(params=COST_SOURCES)
def kind(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """Which server the notebook is connected to; each answers what LiteLLM was told to."""
    if request.param == "foreign":
        monkeypatch.setenv("SWSLLM_BASE_URL", request.getfixturevalue("foreign"))
        monkeypatch.setenv("SWSLLM_API_KEY", UPSTREAM_KEY)
        yield request.param
        return
    alone = request.param == "only chat"
    with FakeOpenAI(default=Scripted(chunks=(ANSWER,), refuses_stream_options=alone)) as server:
        if alone:
            monkeypatch.setenv("SWSLLM_BASE_URL", server.base_url)
            monkeypatch.setenv("SWSLLM_API_KEY", "sk-of-this-server")
            yield request.param
            return
        with running_proxy(tmp_path / "proxy", upstream=server.base_url) as proxy:
            monkeypatch.setenv("SWSLLM_BASE_URL", proxy.base_url)
            monkeypatch.setenv("SWSLLM_API_KEY", proxy.add_account("ada", "5.00").key)
            yield request.param


def test_a_question_is_answered_logged_and_priced_as_far_as_is_known(
    kind: str, shell: InteractiveShell
) -> None:
    cell = Cell(shell, f"%%llm -m {MINI}\nWho are you?")
    cell.result.raise_error()
    assert ANSWER in cell.last_output["text/plain"]
    (row,) = swsllm_nb.log().to_dict("records")
    assert (row["status"], row["cost_source"]) == ("ok", COST_SOURCES[kind])
    assert row["cost_usd"] > 0
    assert row["answer"] == ANSWER


def test_an_answer_in_one_piece_is_priced_too(kind: str, shell: InteractiveShell) -> None:
    Cell(shell, f"%%llm -m {MINI} --no-stream\nWho are you?").result.raise_error()
    (row,) = swsllm_nb.log().to_dict("records")
    assert (row["status"], row["stream"]) == ("ok", False)
    assert row["cost_source"] == ("proxy" if kind == "proxy" else "computed")


def test_a_conversation_goes_on(kind: str, shell: InteractiveShell) -> None:
    for prompt in ("Who are you?", "And now?"):
        Cell(shell, f"%%llm -m {MINI} -c talk\n{prompt}").result.raise_error()
    answer = swsllm_nb.last()
    assert isinstance(answer, Answer)
    assert [message["role"] for message in answer.messages] == ["user", "assistant", "user"]


def test_the_status_says_what_is_left_or_that_it_is_unknown(
    kind: str, shell: InteractiveShell
) -> None:
    shown = Cell(shell, "%llm").shown
    assert ("of $5.00 left" if kind == "proxy" else "budget unknown") in shown


@pytest.mark.parametrize("kind", ["proxy", "foreign"], indirect=True)
@pytest.mark.usefixtures("kind")
def test_a_model_that_is_not_there_is_one_sentence(shell: InteractiveShell) -> None:
    cell = Cell(shell, "%%llm -m gpt-9\nHi")
    assert isinstance(cell.error, CallFailed)
    assert "gpt-9" in cell.shown
    assert "Traceback" not in cell.shown
