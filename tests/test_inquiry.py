"""The way of a question through a cell: options, placeholders, conversations, several models."""

import json
import re
from typing import Any

import pytest
from cells import Cell
from fake_openai import FakeOpenAI, Scripted, error
from IPython.core.interactiveshell import InteractiveShell
from proxies import RunningProxy
from pydantic import BaseModel

import swsllm_nb
from swsllm_nb.notebook.answer import Answer
from swsllm_nb.notebook.errors import CallFailed, LLMError
from swsllm_nb.notebook.estimate import Estimate

COST = {"cost_usd": "0.0001", "remaining_usd": "0.05", "budget_usd": "5.00"}


class City(BaseModel):
    name: str
    people: int


def sent(server: FakeOpenAI) -> list[list[Any]]:
    """The texts of each request's messages."""
    return [[m["content"] for m in request.body["messages"]] for request in server.requests]


def test_every_option_reaches_the_server(connected: FakeOpenAI, shell: InteractiveShell) -> None:
    line = (
        "-m gpt-4o --top-p 0.5 --presence-penalty 1 --frequency-penalty -1 --seed 3 --json "
        "--max-tokens 9 --no-stream"
    )
    connected.answers.append(Scripted(text="{}"))
    Cell(shell, f"%%llm {line}\nHi, in JSON").result.raise_error()
    body = connected.requests[0].body
    assert (body["top_p"], body["presence_penalty"], body["frequency_penalty"]) == (0.5, 1, -1)
    assert (body["seed"], body["max_tokens"]) == (3, 9)
    assert body["response_format"] == {"type": "json_object"}
    assert "stream" not in body


@pytest.mark.parametrize("line", ["-s „Be brief“ -t 0,5", '-s "Be brief" -t 0.5  # why not'])
def test_a_line_is_read_as_it_was_meant(
    connected: FakeOpenAI, shell: InteractiveShell, line: str
) -> None:
    Cell(shell, f"%%llm {line}\nHi").result.raise_error()
    body = connected.requests[0].body
    assert (body["messages"][0]["content"], body["temperature"]) == ("Be brief", 0.5)


def test_a_reasoning_model_is_told_how_long_to_think(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "%%llm -m o3-mini --reasoning-effort low\nHi").result.raise_error()
    assert connected.requests[0].body["reasoning_effort"] == "low"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("-m o3-mini -t 0", "o3-mini does not take --temperature.*instead is --reasoning-effort"),
        ("-m gpt-4o --reasoning-effort low", "instead is --temperature, --top-p"),
        ("--schema City", "there is no 'City'"),
        ("--new", "add --chat NAME"),
        ("--chat a -m gpt-4o,o3-mini", "one model, and 2 were named"),
        ("--max-cost 0.000001", r"up to \$0.0025, more than --max-cost \$0.000001"),
        ("--max-cost 1 -m llama", "price of llama is not known"),
        ('-s "You are {{ role }}"', "{{ role }} names a variable that is not there"),
        ("--max-cost x", "amount in dollars"),
        ("--max-tokens many", "--max-tokens: 'many' is no whole number"),
        ("-c", "-c/--chat: a value belongs after it"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence_and_nothing_is_sent(
    connected: FakeOpenAI, shell: InteractiveShell, line: str, sentence: str
) -> None:
    cell = Cell(shell, f"%%llm {line}\nHi")
    assert isinstance(cell.error, LLMError)
    assert re.search(sentence, cell.shown)
    assert cell.shown.strip().count("\n") == 0
    assert not connected.requests


def test_placeholders_are_filled_in_the_text_and_in_the_system_message(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    shell.user_ns.update(role="a poet", text="{{ role }} $x")
    Cell(shell, '%%llm -s "You are {{ role }}"\nSay {{ text }} {role}').result.raise_error()
    assert sent(connected) == [["You are a poet", "Say {{ role }} $x {role}"]]
    Cell(shell, "%%llm --raw\nSay {{ text }}").result.raise_error()
    assert sent(connected)[1] == ["Say {{ text }}"]


def test_a_question_of_which_nothing_is_left_is_not_sent(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    shell.user_ns["nothing"] = " "
    cell = Cell(shell, "%%llm\n{{ nothing }}")
    assert "nothing stands in {{ nothing }}" in cell.shown
    assert not connected.requests


def test_a_mistake_on_the_line_is_told_in_german(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    assert "-c/--chat: danach gehört ein Wert" in Cell(shell, "%%llm -c\nHi").shown
    assert "'x' ist keine ganze Zahl" in Cell(shell, "%%llm --seed x\nHi").shown
    assert "'x' ist keine ganze Zahl" in Cell(shell, "%llm set seed=x").shown


def test_an_answer_can_end_with_its_first_line(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, r'%%llm --stop "\n" --presence-penalty -1,5' + "\nHi").result.raise_error()
    body = connected.requests[0].body
    assert (body["stop"], body["presence_penalty"]) == (["\n"], -1.5)


def test_a_frame_says_how_much_of_it_goes_out_and_how_many_tokens_that_is(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    import pandas as pd

    shell.user_ns["frame"] = pd.DataFrame({"n": range(50)})
    cell = Cell(shell, "%%llm\nSum up: {{ frame }}")
    assert "{{ frame }}: the first 10 of 50 rows, 1 of 1 columns, 22 tokens" in cell.shown


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("# a comment\n\n# another\n%%llm\nHi\n", "Hi"),
        ("%%llm\n>>> print(1)\n1\n", ">>> print(1)\n1"),
        ("%%llm  \n  indented\n\n\n", "  indented\n\n"),
        ("%%llm\nIn [1]: x\n", "In [1]: x"),
        ("%%llm\n'''\"\"\"\\n\n", "'''\"\"\"\\n"),
        ("%%llm\nWhat is love?", "What is love?"),
    ],
)
def test_a_cells_text_is_sent_as_it_stands(
    connected: FakeOpenAI, shell: InteractiveShell, cell: str, text: str
) -> None:
    Cell(shell, cell).result.raise_error()
    assert sent(connected) == [[text]]


@pytest.mark.parametrize("text", ["%llm What is love?", "# why\n%llm What is love?\n"])
def test_a_question_on_the_line_is_told_where_it_belongs(
    connected: FakeOpenAI, shell: InteractiveShell, text: str
) -> None:
    cell = Cell(shell, text)
    assert isinstance(cell.error, LLMError)
    assert "%%llm on the first line" in cell.shown


@pytest.mark.parametrize("code", ["x = 5", "x = 5\n\n# so", "%config IPCompleter"])
def test_a_question_below_code_is_told_where_it_belongs(
    connected: FakeOpenAI, shell: InteractiveShell, code: str
) -> None:
    cell = Cell(shell, f"{code}\n%%llm\nWas ist das?")
    assert isinstance(cell.result.error_before_exec, LLMError)
    assert "%%llm belongs on the first line of its cell" in cell.shown
    assert cell.shown.strip().count("\n") == 0
    assert "x" not in shell.user_ns
    assert not connected.requests


def test_a_question_in_a_text_or_after_a_space_is_left_as_it_is(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, 'text = """\n%%llm\nHi"""').result.raise_error()
    assert shell.user_ns["text"] == "\n%%llm\nHi"
    Cell(shell, "%%time\n%%llm\nHi").result.raise_error()
    Cell(shell, "\n  %%llm -t 0\n  Hi").result.raise_error()
    assert sent(connected) == [["Hi"], ["  Hi"]]


def test_help_and_other_cells_are_left_alone(shell: InteractiveShell) -> None:
    for text in ("%%llm?", "%llm?", "x = 1  # %%llm", "'''\n%%llm\n'''\n%who"):
        cell = Cell(shell, text)
        cell.result.raise_error()
    assert shell.transform_cell("%%time\n%%llm\nHi").startswith(
        "get_ipython().run_cell_magic('time'"
    )


def test_without_a_name_nothing_earlier_is_sent(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    for prompt in ("one", "two"):
        Cell(shell, f"%%llm\n{prompt}").result.raise_error()
    assert sent(connected) == [["one"], ["two"]]


def test_a_conversation_goes_on_and_running_a_cell_again_does_not_make_it_longer(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.default = Scripted(chunks=("ok",))
    Cell(shell, "%%llm -c talk -s Brief.\nfirst", cell_id="a").result.raise_error()
    for _ in range(3):
        Cell(shell, "%%llm -c talk\nsecond", cell_id="b").result.raise_error()
    second = ["Brief.", "first", "ok", "second"]
    assert sent(connected) == [["Brief.", "first"], second, second, second]
    Cell(shell, "%%llm -c talk\nfirst, again", cell_id="a").result.raise_error()
    assert sent(connected)[-1] == ["Brief.", "first, again"]
    Cell(shell, "%%llm -c talk\nthird", cell_id="c").result.raise_error()
    assert sent(connected)[-1] == ["Brief.", "first, again", "ok", "second", "ok", "third"]
    Cell(shell, "%%llm -c talk --new\nanew", cell_id="d").result.raise_error()
    assert sent(connected)[-1] == ["anew"]


def test_a_call_that_failed_leaves_the_conversation_as_it_was(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.answers += [
        Scripted(chunks=("ok",)), Scripted(status=400, body=error("no")),
        Scripted(cut="mid stream"), Scripted(chunks=("ok",)),
    ]  # fmt: skip
    for prompt in ("one", "bad", "cut", "two"):
        Cell(shell, f"%%llm -c talk\n{prompt}")
    assert sent(connected)[-1] == ["one", "ok", "two"]


def test_the_context_is_listed_with_its_share_and_forgotten_by_name(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.default = Scripted(chunks=("word " * 30,))
    Cell(shell, "%%llm -c talk\nHi").result.raise_error()
    shown = Cell(shell, "%llm context").shown
    assert "user" in shown
    assert "97 %" in shown
    assert "32 tokens, $0.0000048 (gpt-4o-mini)" in shown
    assert "talk: 1 turn, 32 tokens" in Cell(shell, "%llm chats").shown
    assert "no conversation 'tlak'; there are: talk" in Cell(shell, "%llm forget tlak").shown
    Cell(shell, "%llm forget talk").result.raise_error()
    assert "There is no conversation yet" in Cell(shell, "%llm context").shown


def test_nothing_that_a_model_wrote_steers_a_terminal(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.default = Scripted(text="\x1b]0;mine\x07\x1b[31mred")
    cells = ["%%llm -c a\nHi \x1b[31m", "%llm context", "%llm chats", "%llm log", "%llm statement"]
    for cell in (Cell(shell, text) for text in cells):
        cell.result.raise_error()
        plain = [output["text/plain"] for output in cell.outputs]
        assert not re.search("[\x1b\x07]", "".join([cell.shown.partition("{")[0], *plain]))
    assert "a: 1 turn," in Cell(shell, "%llm chats").shown


def test_json_is_read_and_what_is_none_is_shown_and_kept(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.answers += [Scripted(text='{"a": 1}'), Scripted(chunks=("no json",))]
    Cell(shell, "%%llm --json -o out\nJSON, please").result.raise_error()
    assert shell.user_ns["out"].json == {"a": 1}
    cell = Cell(shell, "%%llm --json\nJSON, please")
    assert isinstance(cell.error, CallFailed)
    assert "not the JSON that was asked for" in cell.shown
    assert "12 in + 6 out" in cell.shown
    assert "incomplete" not in cell.shown
    assert str(swsllm_nb.last()) == "no json"


def test_an_answer_follows_a_schema_of_the_notebook(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    shell.user_ns["City"] = City
    connected.default = Scripted(text=json.dumps({"name": "Ulm", "people": 128928}))
    Cell(shell, "%%llm --schema City -o city\nA city").result.raise_error()
    assert shell.user_ns["city"].json == City(name="Ulm", people=128928)
    assert connected.requests[0].body["response_format"]["json_schema"]["name"] == "City"
    answer = swsllm_nb.ask("A city", schema=City)
    assert isinstance(answer, Answer)
    assert answer.json.people == 128928


def test_several_models_answer_side_by_side(connected: FakeOpenAI, shell: InteractiveShell) -> None:
    cell = Cell(shell, "%%llm -m gpt-4o-mini,gpt-4o -o both\nHi")
    cell.result.raise_error()
    answers = shell.user_ns["both"]
    assert [request.body["model"] for request in connected.requests].count("gpt-4o") == 1
    assert [type(answer) for answer in answers] == [Answer, Answer]
    assert all(answer.seconds > 0 for answer in answers)
    assert cell.last_output["text/html"].count("Hello from the stub") == 2


def test_of_several_models_one_that_fails_does_not_take_the_other_with_it(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.answers.append(Scripted(status=400, body=error("Not today.")))
    cell = Cell(shell, "%%llm -m gpt-4o-mini,gpt-4o\nHi")
    assert isinstance(cell.error, CallFailed)
    assert "Hello from the stub" in cell.shown
    assert "Not today." in cell.shown
    assert str(swsllm_nb.last()).strip() == "Hello from the stub."


def test_of_several_models_one_whose_answer_is_not_as_asked_leaves_the_others_theirs(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.answers += [Scripted(text='{"a": 1}'), Scripted(chunks=("no json",))]
    cell = Cell(shell, "%%llm -m gpt-4o-mini,gpt-4o --json\nHi")
    assert isinstance(cell.error, CallFailed)
    html = cell.last_output["text/html"]
    assert '{"a": 1}' in html.replace("&quot;", '"')
    assert "no json" in html
    assert "not the JSON that was asked for" in html
    # As the sentence says.
    assert str(swsllm_nb.last()) == "no json"


def test_a_server_that_does_not_stream_is_heard_all_the_same(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    message = {"role": "assistant", "content": "All at once."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    connected.default = Scripted(body={"id": "1", "model": "m", "choices": [choice]})
    cell = Cell(shell, "%%llm\nHi")
    cell.result.raise_error()
    assert "All at once." in cell.shown
    assert str(swsllm_nb.ask("Hi")) == "All at once."


def test_an_estimate_is_kept_under_the_name_of_out(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "%%llm --estimate -o bound\nHi").result.raise_error()
    assert isinstance(shell.user_ns["bound"], Estimate)


def test_an_estimate_is_an_upper_bound_and_sends_nothing(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    cell = Cell(shell, "%%llm --estimate\nHi")
    cell.result.raise_error()
    assert "gpt-4o-mini: at most $0.0025 (up to 81 tokens in, 4,096 out)" in cell.shown
    assert not connected.requests
    unknown = swsllm_nb.ask("Hi", model="llama", estimate=True)
    assert isinstance(unknown, Estimate)
    assert unknown.max_cost_pico is None
    assert "not known here" in str(unknown)


def test_the_estimate_is_what_the_proxy_holds(
    shell: InteractiveShell, proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = proxy.add_account("estimator", "5.00")
    monkeypatch.setenv("SWSLLM_BASE_URL", proxy.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", account.key)
    asked: dict[str, Any] = {"schema": City, "max_tokens": 77, "system": "Brief. ß" * 40}
    estimate = swsllm_nb.ask("A city. " * 300, estimate=True, **asked)
    assert isinstance(estimate, Estimate)
    with pytest.raises(LLMError, match="not the JSON"):
        swsllm_nb.ask("A city. " * 300, **asked)
    (call,) = proxy.calls("estimator")
    assert call["hold_pico"] == estimate.max_cost_pico


def test_what_could_cost_much_of_what_is_left_is_told_beforehand(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.default = Scripted(cost=COST)
    assert "can cost" not in Cell(shell, "%%llm\nHi").shown
    assert (
        "up to $0.0412, 82 % of the $0.05 that are left" in Cell(shell, "%%llm -m gpt-4o\nHi").shown
    )
    assert "can cost" not in Cell(shell, "%%llm -m gpt-4o --quiet\nHi").shown
    assert "can cost" not in Cell(shell, "%%llm --max-tokens 10\nHi").shown


def test_quiet_shows_nothing_and_has_its_value(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    cell = Cell(shell, "%%llm --quiet\nHi")
    assert cell.shown.replace("Out[1]:", "").strip() == ""
    assert shell.user_ns["_"] is swsllm_nb.last()


def test_what_was_set_holds_for_every_cell_until_it_is_taken_back(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    cell = Cell(shell, "%llm set model=gpt-4o temperature=0 exercise=ex3 stream=off max-cost=1.5")
    assert "model = gpt-4o" in cell.shown
    assert "max-cost = $1.50" in cell.shown
    Cell(shell, "%%llm -t 1\nHi").result.raise_error()
    body = connected.requests[-1].body
    assert (body["model"], body["temperature"]) == ("gpt-4o", 1)
    assert list(swsllm_nb.log()["exercise"]) == ["ex3"]
    assert connected.requests[-1].headers["x-swsllm-exercise"] == "ex3"
    Cell(shell, "%llm set model= temperature= exercise= stream= max-cost=").result.raise_error()
    assert "Nothing is set" not in Cell(shell, "%llm set").shown
    Cell(shell, "%%llm\nHi").result.raise_error()
    assert connected.requests[-1].body["model"] == "gpt-4o-mini"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("temperature", "NAME=VALUE"),
        ("colour=red", "does not know colour; it takes: model, system"),
        ("chat=a", "does not know chat"),
        ("temperature=warm", "warm"),
        ("language=fr", "de or en"),
        ("base-url=foo", "begins with http"),
        ('system="a', "not closed"),
    ],
)
def test_what_cannot_be_set_is_one_sentence(
    shell: InteractiveShell, line: str, sentence: str
) -> None:
    cell = Cell(shell, f"%llm set {line}")
    assert isinstance(cell.error, LLMError)
    assert sentence in cell.shown


def test_the_language_can_be_set(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "en")
    Cell(shell, "%llm set language=de").result.raise_error()
    assert "Es gibt keine Frage" in Cell(shell, "%%llm\n ").shown


def test_texts_can_be_kept_out_of_the_log(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_LOG_TEXTS", "on")
    Cell(shell, "%llm set log-texts=off").result.raise_error()
    Cell(shell, "%%llm\nHi").result.raise_error()
    (row,) = swsllm_nb.log().to_dict("records")
    assert (row["prompt"], row["answer"], row["status"]) == ("", "", "ok")
    assert connected.requests


def test_an_address_can_be_set_for_a_key_that_stands_alone(
    server: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_API_KEY", "sk-marked-0123456789abcdef")
    Cell(shell, f"%llm set base-url={server.base_url}").result.raise_error()
    Cell(shell, "%%llm\nHi").result.raise_error()
    assert len(server.requests) == 1
