"""``%llm chats``, ``forget`` and ``context``: the conversations, and what sending them costs."""

import sys
from collections.abc import Sequence

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.money import show_cost
from swsllm_nb.notebook.conversations import Conversation
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.markdown import printable
from swsllm_nb.notebook.question import default_model

__all__ = ["forget", "show_chats", "show_context", "turns_text"]

_SHOWN_CHARACTERS = 60


def show_chats(desk: Desk, words: Sequence[str]) -> None:
    """The conversations of this notebook, with their turns and tokens."""
    del words
    lines = [
        f"{name}: {turns_text(len(conversation.turns))}, {sum(_tokens(conversation)):,} tokens\n"
        for name, conversation in desk.conversations
    ]
    sys.stdout.write("".join(lines) or _no_conversation() + "\n")


def forget(desk: Desk, words: Sequence[str]) -> None:
    """Forgets the conversations that are named, or all of them."""
    names = list(words) or [name for name, _ in desk.conversations]
    for name in names:
        if not desk.conversations.forget(name):
            raise LLMError(_unknown(desk, name))
    forgotten = ", ".join(names)
    done = say(f"Forgotten: {forgotten}.", f"Vergessen: {forgotten}.")
    sys.stdout.write((done if names else _no_conversation()) + "\n")


def show_context(desk: Desk, words: Sequence[str]) -> None:
    """Each message that a conversation sends again, with its share of the next call's price."""
    for name in words:
        if name not in dict(desk.conversations):
            raise LLMError(_unknown(desk, name))
    shown = [each for each in desk.conversations if not words or each[0] in words]
    if not shown:
        sys.stdout.write(_no_conversation() + "\n")
    for name, conversation in shown:
        sys.stdout.write(_context(desk, name, conversation))


def _context(desk: Desk, name: str, conversation: Conversation) -> str:
    tokens = _tokens(conversation)
    total = sum(tokens)
    lines = [
        f"{message['role']:<9} {count:>7,} tokens {round(100 * count / total):>3} %  "
        f"{_beginning(message['content'])}\n"
        for message, count in zip(_messages(conversation), tokens, strict=True)
    ]
    asked = (desk.settings.models or (default_model(),))[0]
    model = default_catalogue().find(asked)
    price = show_cost(total * model.prices.rates_of(total).input_pico) if model else None
    costs = say("cost unknown", "Kosten unbekannt") if price is None else f"{price} ({asked})"
    again = say("sent again with the next question", "mit der nächsten Frage wieder gesendet")
    return f"{name}\n{''.join(lines)}{again}: {total:,} tokens, {costs}\n"


def _messages(conversation: Conversation) -> list[dict[str, str]]:
    system = [{"role": "system", "content": conversation.system}] if conversation.system else []
    return [*system, *(dict(message) for message in conversation.messages)]


def _tokens(conversation: Conversation) -> list[int]:
    from swsllm_nb.tokenizer import count_tokens

    return [count_tokens(message["content"]) for message in _messages(conversation)]


def turns_text(count: int) -> str:
    one = count == 1
    return say(f"{count} turn{'' if one else 's'}", f"{count} Runde{'' if one else 'n'}")


def _beginning(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= _SHOWN_CHARACTERS else line[: _SHOWN_CHARACTERS - 2] + " …"


def _unknown(desk: Desk, name: str) -> str:
    known = ", ".join(each for each, _ in desk.conversations) or say("none", "keine")
    return say(
        f"There is no conversation {name!r}; there are: {known}.",
        f"Ein Gespräch {name!r} gibt es nicht; es gibt: {known}.",
    )


def _no_conversation() -> str:
    return say(
        "There is no conversation yet: %%llm --chat NAME begins one.",
        "Es gibt noch kein Gespräch: %%llm --chat NAME beginnt eins.",
    )
