"""``%%llm`` and ``%llm`` in a real shell, and the stop button in a real kernel."""

import json
import re
import subprocess
import time
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from cells import COST, KEY, Cell, Outputs, running_kernel
from fake_openai import FakeOpenAI, Scripted, error
from IPython.core.interactiveshell import InteractiveShell
from proxies import RunningProxy

import swsllm_nb
from swsllm_nb.notebook import magics
from swsllm_nb.notebook.errors import CallFailed, LLMError, NotConnected


def test_a_cell_shows_the_answer_and_what_it_cost(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.answers.append(Scripted(text="A **bold** answer", cost=COST))
    cell = Cell(shell, "%%llm\nWhy is the sky blue?")
    cell.result.raise_error()
    assert "<strong>bold</strong>" in cell.last_output["text/html"]
    assert "12 in + 6 out · $0.0001 · $3.91 of $5.00 left" in cell.last_output["text/plain"]
    assert str(swsllm_nb.last()).strip() == "A **bold** answer"
    assert shell.user_ns["_"] is swsllm_nb.last()


def test_an_answer_is_painted_once_in_its_cell_and_again_where_it_is_asked_for(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    cell = Cell(shell, "%%llm --out poem\nA poem, please.")
    assert cell.shown.count("swsllm-footnote") == 1
    assert "swsllm-footnote" in Cell(shell, "poem").shown
    assert "swsllm-footnote" not in Cell(shell, "None").shown


def test_the_prompt_is_sent_as_it_stands(connected: FakeOpenAI, shell: InteractiveShell) -> None:
    prompt = "  {x} {{a}} $HOME \\frac{{a}}{{b}}\n!ls\n%time\n\n# done"
    Cell(shell, f"%%llm\n{prompt}").result.raise_error()
    assert connected.requests[0].body["messages"] == [{"role": "user", "content": prompt}]


def test_every_option_reaches_the_server(connected: FakeOpenAI, shell: InteractiveShell) -> None:
    line = '-m gpt-4o -s "Be brief {KEY}" -t 0.5 --max-tokens 7 --seed 3 --stop END --stop "a b"'
    Cell(shell, f"%%llm {line} -o out\nHi").result.raise_error()
    body = connected.requests[0].body
    assert body["messages"][0] == {"role": "system", "content": "Be brief {KEY}"}
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("gpt-4o", 0.5, 7)
    assert (body["seed"], body["stop"]) == (3, ["END", "a b"])
    assert shell.user_ns["out"] is swsllm_nb.last()


def test_o3_mini_gets_its_own_word_for_the_longest_answer(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "%%llm -m o3-mini --max-tokens 900\nHi").result.raise_error()
    body = connected.requests[0].body
    assert body["max_completion_tokens"] == 900
    assert "max_tokens" not in body


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("%%llm --nonsense\nHi", "--nonsense"),
        ("%%llm -t warm\nHi", "warm"),
        ("%%llm -s Don't\nHi", "quotation mark"),
        ("%%llm -o 1x\nHi", "name of a variable"),
        ("%%llm -o for\nHi", "name of a variable"),
        ("%%llm -t nan\nHi", "is to be a number, and nan is none"),
        ("%%llm --temp 0.5\nHi", "does not take “--temp 0.5”"),
        ("%%llm What is a token?\nHi", "The question goes below the %%llm line."),
        ("%%llm What's a token?\nHi", "The question goes below the %%llm line."),
        ("%%llm\n\n  \n", "no question"),
        ("%llm What is love", "%%llm on the first line"),
        (f"%%llm -s {KEY}\nHi", "does not belong on a magic line"),
        (f"%llm set key={KEY}", "does not belong on a magic line"),
    ],
)
def test_a_mistake_in_the_cell_is_one_sentence_and_nothing_is_sent(
    connected: FakeOpenAI, shell: InteractiveShell, text: str, sentence: str
) -> None:
    cell = Cell(shell, text)
    assert isinstance(cell.error, LLMError)
    assert sentence in cell.shown
    assert KEY not in cell.shown
    assert "Traceback" not in cell.shown
    assert cell.shown.strip().count("\n") == 0
    assert not connected.requests


def test_a_cell_with_nothing_below_its_line_fails(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    cell = Cell(shell, "%%llm")
    assert cell.error is not None
    assert "empty" in cell.shown
    assert not connected.requests


def test_without_a_key_one_sentence_shows_the_two_lines_to_paste(shell: InteractiveShell) -> None:
    for text in ("%%llm\nHi", "%llm", "import swsllm_nb\nswsllm_nb.client()"):
        cell = Cell(shell, text)
        assert isinstance(cell.error, NotConnected)
        assert "\nSWSLLM_BASE_URL=https://…\nSWSLLM_API_KEY=…" in cell.shown
        assert "Traceback" not in cell.shown


FAULTS = {
    "wrong key": (
        Scripted(status=401, body=error(f"Incorrect API key: {KEY}", "invalid_api_key")),
        "does not accept your key (401)",
    ),
    "unknown model": (
        Scripted(status=404, body=error("The model `x` does not exist.", "model_not_found")),
        "Models with a known price: gpt-4o-mini, gpt-4o, o3-mini",
    ),
    "wrong page": (Scripted(status=404, body="<html>Not found</html>"), "Check the base URL"),
    "bad field": (
        Scripted(status=400, body=error("max_tokens must be positive.", param="max_tokens")),
        "max_tokens must be positive.",
    ),
    "no money": (
        Scripted(
            status=429,
            body=error(f"$0.02 are left ({KEY})", "insufficient_quota"),
        ),
        (
            "CallFailed: Your budget does not cover this call (429). The server says: "
            "$0.02 are left ((your key)). For more, ask the teaching staff."
        ),
    ),
    "server fault": (
        Scripted(status=500, body="boom", headers={"x-should-retry": "false"}),
        "fault of its own (500)",
    ),
    "too fast": (
        Scripted(
            status=429,
            body=error("Slow down", "rate_limit_exceeded"),
            headers={"x-should-retry": "false"},
        ),
        "Too many calls at once (429)",
    ),
    "cut": (Scripted(cut="mid stream"), "broke before the answer was complete"),
    "cut politely": (
        Scripted(cut="before done", clean_cut=True),
        "broke before the answer was complete",
    ),
    "not an answer": (Scripted(body="<html>Welcome</html>"), "no chat completion"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_one_sentence_one_request_and_one_row(
    connected: FakeOpenAI, shell: InteractiveShell, name: str
) -> None:
    script, sentence = FAULTS[name]
    connected.answers.append(script)
    cell = Cell(shell, "%%llm\nHi")
    assert isinstance(cell.error, CallFailed)
    assert sentence in cell.shown
    assert "Traceback" not in cell.shown
    assert KEY not in cell.shown
    assert len(connected.requests) == 1
    row = swsllm_nb.log().iloc[-1]
    assert row["source"] == "magic"
    assert row["status"] == ("refused" if 400 <= script.status < 500 else "failed")


def test_what_the_library_raises_through_client_is_the_same_sentence(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    script, sentence = FAULTS["no money"]
    connected.answers.append(script)
    shell.user_ns["swsllm_nb"] = swsllm_nb
    create = 'swsllm_nb.client().chat.completions.create(model="gpt-4o-mini", messages=[])'
    cell = Cell(shell, create)
    assert type(cell.error).__name__ == "RateLimitError"
    assert cell.shown.strip() == sentence
    assert len(connected.requests) == 1


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [("length", "cut at its token limit"), ("content_filter", "content filter stopped the answer")],
)
def test_an_answer_that_cannot_be_parsed_says_why_and_that_it_is_paid(
    connected: FakeOpenAI, shell: InteractiveShell, reason: str, sentence: str
) -> None:
    connected.default = Scripted(text="{", finish_reason=reason)
    cell = Cell(
        shell,
        "import pydantic, swsllm_nb\n"
        "class City(pydantic.BaseModel):\n    name: str\n"
        "swsllm_nb.client().chat.completions.parse(\n"
        '    model="gpt-4o-mini", messages=[], response_format=City)',
    )
    assert cell.error
    assert sentence in cell.shown
    assert "paid for" in cell.shown
    assert "The server says" not in cell.shown
    assert len(connected.requests) == 1


def test_a_client_that_was_closed_does_not_end_the_course(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(
        shell,
        "import swsllm_nb\nwith swsllm_nb.client() as client:\n"
        '    client.chat.completions.create(model="gpt-4o-mini", messages=[])',
    ).result.raise_error()
    assert "Hello from the stub" in Cell(shell, "%%llm\nHi").shown
    assert len(swsllm_nb.log()) == 2


@pytest.mark.parametrize("delta", ['{"content": 5}', "null", '{"content": ["a"]}'])
def test_what_is_no_text_in_a_stream_is_passed_over(
    connected: FakeOpenAI, shell: InteractiveShell, delta: str
) -> None:
    choice = '{{"choices": [{{"index": 0, "delta": {}}}]}}'
    events = [choice.format(each) for each in (delta, '{"content": "Hi"}')]
    body = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])
    connected.default = Scripted(body=body, headers={"content-type": "text/event-stream"})
    Cell(shell, "%%llm\nHi").result.raise_error()
    assert str(swsllm_nb.last()) == "Hi"


def test_a_model_that_declines_is_heard(connected: FakeOpenAI, shell: InteractiveShell) -> None:
    message = {"role": "assistant", "content": None, "refusal": "I would rather not."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    connected.default = Scripted(body={"id": "1", "model": "gpt-4o-mini", "choices": [choice]})
    assert "I would rather not." in Cell(shell, "%%llm --no-stream\nHi").shown
    assert list(swsllm_nb.log()["answer"]) == ["I would rather not."]


def test_another_handler_of_exceptions_keeps_its_own(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    def handle(shell: Any, kind: Any, error: Any, trace: Any, tb_offset: Any = None) -> list[str]:
        print(f"handled {error!r}")
        return []

    shell.set_custom_exc((ZeroDivisionError,), handle)  # type: ignore[no-untyped-call]
    swsllm_nb.client()
    assert "handled ZeroDivisionError" in Cell(shell, "1 / 0").shown
    swsllm_nb.unload_ipython_extension(shell)
    assert shell.custom_exceptions == (ZeroDivisionError,)
    assert "handled ZeroDivisionError" in Cell(shell, "1 / 0").shown


def test_the_status_says_where_which_key_and_what_is_left(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.pages["/account"] = {
        "account": "ana",
        "budget_usd": "5.00",
        "spend_usd": "1.09",
        "reserved_usd": "0.00",
        "remaining_usd": "3.91",
    }
    shown = Cell(shell, "%llm").shown
    assert connected.base_url in shown
    assert "sk-mar… (SWSLLM_API_KEY in the environment)" in shown
    assert "gpt-4o-mini" in shown
    assert "$1.09 spent, $3.91 of $5.00 left" in shown
    assert KEY not in shown
    assert len(swsllm_nb.log()) == 0


def test_what_is_spent_and_what_is_left_add_up_to_the_budget(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.pages["/account"] = {
        "budget_usd": "5.00",
        "spend_usd": "3.674",
        "remaining_usd": "1.326",
    }
    assert "$3.68 spent, $1.32 of $5.00 left" in Cell(shell, "%llm").shown


def test_the_status_without_accounts_adds_up_the_log(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    for _ in range(2):
        Cell(shell, "%%llm\nHi").result.raise_error()
    assert "$0.000011 spent from this machine, budget unknown" in Cell(shell, "%llm").shown


def test_the_log_is_shown_as_a_frame_whose_dollars_stay_dollars(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "%%llm\nIs $1 more than $2?").result.raise_error()
    cell = Cell(shell, "%llm log")
    cell.result.raise_error()
    assert cell.last_output["text/html"].startswith('<div class="mathjax_ignore">')
    assert "mathjax_ignore" in cell.last_output["text/html"].split(">", 1)[1]
    assert "gpt-4o-mini" in cell.last_output["text/html"]


def test_a_call_belongs_to_the_cell_it_began_in(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ana/week 3.ipynb")
    Cell(shell, "%%llm\nHi", cell_id="c-1").result.raise_error()
    Cell(shell, "%%llm\nHi").result.raise_error()
    log = swsllm_nb.log()
    assert list(log["cell_id"]) == ["c-1", ""]
    assert list(log["notebook"]) == ["week 3.ipynb"] * 2


def test_what_code_gave_stays_given(server: FakeOpenAI, shell: InteractiveShell) -> None:
    swsllm_nb.client(base_url=server.base_url, api_key=KEY)
    Cell(shell, "%%llm\nHi").result.raise_error()
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_new_key_in_the_env_file_is_used_without_a_restart(
    server: FakeOpenAI, shell: InteractiveShell
) -> None:
    for key in ("sk-first-key-12345", "sk-second-key-12345"):
        Path(".env").write_text(f"SWSLLM_BASE_URL={server.base_url}\nSWSLLM_API_KEY={key}\n")
        Cell(shell, "%%llm\nHi").result.raise_error()
        assert server.requests[-1].headers["authorization"] == f"Bearer {key}"


def test_a_key_that_git_would_publish_is_worth_a_word_once(
    server: FakeOpenAI, shell: InteractiveShell
) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    Path(".env").write_text(f"SWSLLM_BASE_URL={server.base_url}\nSWSLLM_API_KEY={KEY}\n")
    shown = [Cell(shell, "%%llm\nHi").shown for _ in range(2)]
    assert "git does not ignore it: add the line .env" in shown[0]
    assert "git" not in shown[1]


def test_loading_twice_and_unloading_leave_nothing_double(shell: InteractiveShell) -> None:
    swsllm_nb.load_ipython_extension(shell)
    assert len(shell.events.callbacks["pre_run_cell"]) == len(
        set(shell.events.callbacks["pre_run_cell"])
    )
    swsllm_nb.unload_ipython_extension(shell)
    assert magics.magics_of(shell) is None
    assert shell.find_cell_magic("llm") is None
    assert shell.find_line_magic("llm") is None


def test_the_manual_names_every_option(shell: InteractiveShell) -> None:
    manual = shell.find_cell_magic("llm").__doc__ or ""
    for option in ("--model", "--system", "--temperature", "--max-tokens", "--seed", "--stop"):
        assert option in manual
    assert " %%llm [-m MODEL]" in manual
    assert "ask_cell" not in manual


def test_the_stop_button_ends_the_cell_and_keeps_what_had_come(
    connected: FakeOpenAI, tmp_path: Path
) -> None:
    connected.answers.append(Scripted(text="One two three", hang="mid stream"))
    with running_kernel(tmp_path) as (kernel, client):
        outputs = Outputs(client)
        outputs.run("%load_ext swsllm_nb")
        message_id = client.execute("%%llm\nCount.")
        outputs.wait_for(message_id, "One")
        stopped_at = time.monotonic()
        kernel.interrupt_kernel()
        messages = outputs.until_idle(message_id)
        seconds = time.monotonic() - stopped_at
        failure = next(each for each in messages if each["msg_type"] == "error")
        assert failure["content"]["ename"] == "Interrupted"
        assert "does not stop the cost" in "".join(failure["content"]["traceback"])
        assert "Traceback" not in "".join(failure["content"]["traceback"])
        assert any("incomplete" in str(each["content"]) for each in messages)
        assert seconds < 2, "the stop button waited for the server"
        assert connected.client_left.wait(10), "the server was not told"
        shown = outputs.run("import swsllm_nb\nprint(swsllm_nb.last(), *swsllm_nb.log().status)")
        assert "One " in shown
        assert "interrupted" in shown


def test_the_first_notebooks_answers_are_whole_sentences_of_the_practice_model(
    practice_proxy: RunningProxy, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_BASE_URL", practice_proxy.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", practice_proxy.add_account("first answers").key)
    path = Path(__file__).parents[1] / "notebooks" / "student" / "00_start_here.ipynb"
    cells = json.loads(path.read_text("utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            Cell(shell, "".join(cell["source"])).result.raise_error()
    prose = resources.files("swsllm_nb.proxy.practice").joinpath("english.txt").read_text("utf-8")
    log = swsllm_nb.log()
    assert len(log) == 4
    for prompt, answer in zip(log["prompt"], log["answer"], strict=True):
        assert answer in prose, f"{prompt} is answered by nonsense; choose another seed"
        topics = [word for word in re.findall(r"\w+", prompt.lower()) if len(word) > 4]
        assert any(topic in answer.lower() for topic in topics), f"{prompt} is not what it is about"
