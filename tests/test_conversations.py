"""Conversations that never grow by running a cell again."""

import pytest

from swsllm_nb.notebook.conversations import Conversation, Conversations, Turn


def told(*turns: Turn) -> Conversation:
    conversation = Conversation()
    for turn in turns:
        conversation = conversation.with_turn(turn)
    return conversation


def prompts(conversation: Conversation) -> list[str]:
    return [turn.prompt for turn in conversation.turns]


def test_a_turn_is_a_question_and_its_answer() -> None:
    conversation = told(Turn("a", 1, "Why?", "Because."))
    assert conversation.messages == (
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because."},
    )


def test_running_a_cell_again_replaces_its_turn_where_it_stands() -> None:
    conversation = told(Turn("a", 1, "1", ""), Turn("b", 2, "2", ""), Turn("c", 3, "3", ""))
    assert [message["content"] for message in conversation.before("b", 4)] == ["1", ""]
    again = conversation.with_turn(Turn("b", 4, "2 again", ""))
    assert prompts(again) == ["1", "2 again", "3"]


def test_a_loop_in_a_cell_is_a_turn_each_and_again_when_it_is_run_again() -> None:
    first = told(Turn("a", 1, "0", ""), *(Turn("b", 2, f"{n}", "") for n in "123"))
    assert prompts(first) == ["0", "1", "2", "3"]
    assert [each["content"] for each in first.before("b", 2)][::2] == ["0", "1", "2", "3"]
    again = first.with_turn(Turn("c", 3, "c", ""))
    for prompt in ("x", "y"):
        again = again.with_turn(Turn("b", 4, prompt, ""))
    assert prompts(again) == ["0", "x", "y", "c"]


def test_without_a_cell_id_a_turn_is_added() -> None:
    assert prompts(told(Turn("", 1, "1", ""), Turn("", 2, "2", ""))) == ["1", "2"]


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_conversation_is_kept_and_forgotten_by_its_name(name: str) -> None:
    conversations = Conversations()
    assert not conversations.forget(name)
    conversations.keep(name, told(Turn("", 1, "1", "")))
    assert prompts(conversations.of(name)) == ["1"]
    assert prompts(conversations.of("another")) == []
    assert conversations.forget(name)
    assert dict(conversations) == {}
