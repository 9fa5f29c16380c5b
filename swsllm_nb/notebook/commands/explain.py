"""``%llm explain``: the last error in plain words, free of charge, or by the model."""

import sys
from collections.abc import Sequence
from typing import Any, Final

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.money import show_cost
from swsllm_nb.notebook.answer import Answer
from swsllm_nb.notebook.commands.line import taken
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import Interrupted, LLMError
from swsllm_nb.notebook.estimate import estimate_of
from swsllm_nb.notebook.inquiry import answers_of, inquiry_of
from swsllm_nb.notebook.keys import hides_key, looks_like_key, scrub
from swsllm_nb.notebook.language import say, speaks_german
from swsllm_nb.notebook.mistakes import mistake_of
from swsllm_nb.notebook.options import Options
from swsllm_nb.notebook.question import default_model
from swsllm_nb.notebook.tracebacks import OwnLine, for_a_model, own_lines

__all__ = ["show"]

_ANSWER_TOKENS: Final = 500


def show(desk: Desk, words: Sequence[str]) -> None:
    """The last error in plain words, offline; --ask asks the model and says the price before."""
    given = taken("explain", words, switches=("--ask",))
    error = _last_error()
    if error is None:
        raise LLMError(
            say(
                "No cell has failed since the kernel started, so there is nothing to explain.",
                "Seit dem Start des Kernels ist keine Zelle fehlgeschlagen, also gibt es nichts zu "
                "erklären.",
            )
        )
    lines = own_lines(error, _shell())
    if "--ask" in given.switches:
        _ask(desk, error, lines)
    else:
        sys.stdout.write(scrub(_in_plain_words(error, lines), desk.live_key))


def _in_plain_words(error: BaseException, lines: Sequence[OwnLine]) -> str:
    told = [f"{type(error).__name__}: {error}"]
    if lines:
        last = lines[-1]
        line = say("line", "Zeile")
        # IPython's own words for a magic are not the student's.
        text = "" if last.text.startswith("get_ipython()") else f": {last.text.strip()}"
        told.append(f"{last.place}, {line} {last.number}{text}")
    if isinstance(error, (LLMError, Interrupted)):
        told.append(
            say(
                "That sentence is all there is to it: do what it says at its end.",
                "Mehr steckt nicht dahinter: Tu, was der Satz am Ende sagt.",
            )
        )
        return "\n".join(told) + "\n"
    mistake = mistake_of(type(error))
    if mistake is None:
        told.append(
            say(
                "This kind of error is not one of Python's usual ones: read its last line, and the "
                "manual of the library that raised it.",
                "Diese Art Fehler gehört nicht zu den üblichen von Python: Lies seine letzte Zeile "
                "und die Anleitung der Bibliothek, aus der er kommt.",
            )
        )
    else:
        told.append(say(*mistake.meaning))
        told.append(say("Often it is one of these:", "Oft ist es eins davon:"))
        told += (f"• {say(*cause)}" for cause in mistake.causes)
    told.append(
        say(
            "Still puzzled? %llm explain --ask asks the model and says what it costs.",
            "Noch unklar? %llm explain --ask fragt das Modell und sagt, was es kostet.",
        )
    )
    return "\n".join(told) + "\n"


def _ask(desk: Desk, error: BaseException, lines: list[OwnLine]) -> None:
    from swsllm_nb.notebook.display import LiveAnswer

    key = desk.course().connection.key
    text = for_a_model(error, lines, key)
    if looks_like_key(text) or hides_key(text, key):
        raise LLMError(
            say(
                "Something in the lines around the error looks like a key, so nothing was sent.",
                "In den Zeilen um den Fehler sieht etwas wie ein Schlüssel aus; es wurde nichts "
                "gesendet.",
            )
        )
    name = (desk.settings.models or (default_model(),))[0]
    # Raw: braces in code are no placeholders.
    told = Options(
        models=(name,), system=_system(), max_tokens=_room_tokens(name), stop=(),
        raw=True, json=False, estimate=False, quiet=True,
    )  # fmt: skip
    inquiry = inquiry_of(desk, text, told)
    (question,) = inquiry.questions
    most_pico = estimate_of(question).max_cost_pico
    price = (
        say("an unknown amount", "unbekannt viel") if most_pico is None else show_cost(most_pico)
    )
    sys.stdout.write(
        say(
            f"{question.model} is asked; this costs at most {price}. The error and "
            f"{len(lines)} of your own lines are sent, without paths, names and keys.\n",
            f"Gefragt wird {question.model}; das kostet höchstens {price}. Gesendet werden der "
            f"Fehler und {len(lines)} eigene Zeilen, ohne Pfade, Namen und Schlüssel.\n",
        )
    )
    live = LiveAnswer()
    (answer,) = answers_of(desk, inquiry, source="magic", paint=live.update)
    assert isinstance(answer, Answer)
    answer.paint(live)


def _room_tokens(name: str) -> int:
    """The answer's longest; a model that thinks needs room for that too."""
    model = default_catalogue().find(name)
    return max(_ANSWER_TOKENS, model.floor_cap_tokens) if model else _ANSWER_TOKENS


def _system() -> str:
    language = "German" if speaks_german() else "English"
    return (
        f"You help a student who learns Python. Answer in {language}, in at most 120 words: what "
        "the error means, the likeliest cause in the lines shown, and one step to find it out. "
        "Do not write the corrected program for them."
    )


def _last_error() -> BaseException | None:
    error = getattr(sys, "last_value", None)
    return error if isinstance(error, BaseException) else None


def _shell() -> Any:
    from IPython import get_ipython

    return get_ipython()
