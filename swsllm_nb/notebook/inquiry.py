"""The way of a question: filled, checked, priced, sent, and kept in its conversation."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from swsllm_nb.money import show_cost, show_left
from swsllm_nb.notebook.answer import Answer, Answers, Question
from swsllm_nb.notebook.conversations import Conversation, Turn
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import CallFailed, Interrupted, LLMError
from swsllm_nb.notebook.estimate import Estimate, estimate_of, may_cost_more_than
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.options import Options
from swsllm_nb.notebook.prompting import Filled, Filling, check_not_empty, checked_prompt
from swsllm_nb.notebook.question import default_model, question_of
from swsllm_nb.notebook.schemas import parsed

__all__ = ["Inquiry", "answers_of", "ask", "estimates_of", "inquiry_of"]

_WORTH_A_WORD: Final = 20
"""A call that may cost more than a twentieth of what is left is told beforehand."""


@dataclass(frozen=True)
class Inquiry:
    """A question as it may be sent, to one model or side by side to several."""

    options: Options
    questions: tuple[Question, ...]
    filled: tuple[Filled, ...]
    conversation: Conversation


def inquiry_of(desk: Desk, text: str, options: Options) -> Inquiry:
    """Fill and check a question. Raises LLMError for what is not to be sent, NotConnected."""
    chosen = options.over(desk.settings)
    key = desk.course().connection.key
    names = chosen.models or (default_model(),)
    if chosen.chat and len(names) > 1:
        raise LLMError(
            say(
                f"A conversation is with one model, and {len(names)} were named, so nothing was "
                "sent: leave out --chat, or name one.",
                f"Ein Gespräch führt man mit einem Modell, genannt sind {len(names)}; es wurde "
                "nichts gesendet: Lass --chat weg oder nenne eins.",
            )
        )
    raw = bool(chosen.raw)
    prompt, system = checked_prompt(text, key, raw=raw), chosen.system
    filled: tuple[Filled, ...] = ()
    if not raw:
        filling = Filling(desk.namespace, key)
        prompt, filled = filling.fill(prompt)
        check_not_empty(prompt, filled)
        if system:
            system, more = filling.fill(checked_prompt(system, key, raw=False))
            filled += more
    conversation = _conversation(desk, chosen, system)
    messages = (
        *([{"role": "system", "content": conversation.system}] if conversation.system else ()),
        *conversation.before(desk.cell_id, desk.run),
        {"role": "user", "content": prompt},
    )
    return Inquiry(
        options=chosen,
        questions=tuple(question_of(name, messages, chosen) for name in names),
        filled=filled,
        conversation=conversation,
    )


def ask(desk: Desk, text: str, options: Options) -> Answer | Answers | Estimate | list[Estimate]:
    """Ask without showing anything. Raises LLMError, CallFailed or Interrupted."""
    if not isinstance(text, str):
        raise LLMError(
            say(
                f"ask() takes the question as a text, and {type(text).__name__} is none, so "
                "nothing was sent.",
                f"ask() nimmt die Frage als Text, und {type(text).__name__} ist keiner; es wurde "
                "nichts gesendet.",
            )
        )
    inquiry = inquiry_of(desk, text, options)
    if inquiry.options.estimate:
        return estimates_of(inquiry)
    outcomes = answers_of(desk, inquiry, source="ask", paint=lambda _: None)
    answers = Answers(each for each in outcomes if isinstance(each, Answer))
    for each in outcomes:
        if isinstance(each, CallFailed):
            raise each
    return answers if len(inquiry.questions) > 1 else answers[0]


def estimates_of(inquiry: Inquiry) -> Estimate | list[Estimate]:
    """What it can cost at most; nothing is sent."""
    estimates = [estimate_of(question) for question in inquiry.questions]
    return estimates if len(estimates) > 1 else estimates[0]


def answers_of(
    desk: Desk,
    inquiry: Inquiry,
    *,
    source: str,
    paint: Callable[[str], None],
    notice: Callable[[str], None] | None = None,
) -> list[Answer | CallFailed]:
    """Send it and wait; of several models each gives an answer or its failure.

    ``paint`` gets the text so far, ``notice`` a line while it waits to be asked again.

    One model's failure is raised: CallFailed, or Interrupted. LLMError where it may cost more than
    was allowed.
    """
    options = inquiry.options
    _check_max_cost(inquiry)
    if not options.quiet:
        _tell(desk, inquiry)
    where = replace(desk.whereabouts, source=source, exercise=options.exercise or "")
    course = desk.course()
    if len(inquiry.questions) > 1:
        outcomes = course.ask_several(inquiry.questions, where, notice)
        read = [_outcome(each, options) for each in outcomes]
        # What is raised for a whole answer that is not as asked says that it is there.
        failed = next((each for each in read if isinstance(each, CallFailed)), None)
        answered = (each for each in read if isinstance(each, Answer))
        desk.last = (failed and failed.partial) or next(answered, desk.last)
        return read
    (question,) = inquiry.questions
    try:
        answer = course.ask(question, where, paint, notice)
    except (CallFailed, Interrupted) as failure:
        desk.last = failure.partial or desk.last
        raise
    desk.last = answer
    desk.last = _read(answer, options)
    if options.chat:
        turn = Turn(desk.cell_id, desk.run, question.messages[-1]["content"], answer.text)
        desk.conversations.keep(options.chat, inquiry.conversation.with_turn(turn))
    return [desk.last]


def _conversation(desk: Desk, options: Options, system: str | None) -> Conversation:
    if not options.chat:
        if options.new:
            raise LLMError(
                say(
                    "--new begins a conversation anew, and none was named: add --chat NAME.",
                    "--new beginnt ein Gespräch von vorn, und keins ist genannt: Ergänze "
                    "--chat NAME.",
                )
            )
        return Conversation(system)
    known = Conversation() if options.new else desk.conversations.of(options.chat)
    return replace(known, system=system or known.system)


def _outcome(outcome: Answer | CallFailed, options: Options) -> Answer | CallFailed:
    """Of several models: what one answered does not take the others' answers with it."""
    if isinstance(outcome, CallFailed):
        return outcome
    try:
        return _read(outcome, options)
    except CallFailed as failure:
        return failure


def _read(answer: Answer, options: Options) -> Answer:
    if not options.json and options.schema is None:
        return answer
    try:
        return replace(answer, json=parsed(answer.text, options.schema))
    except LLMError as error:
        failure = CallFailed(str(error), "not_as_asked")
        failure.partial = answer
        raise failure from None


def _check_max_cost(inquiry: Inquiry) -> None:
    limit_pico = inquiry.options.max_cost_pico
    if limit_pico is None:
        return
    bounds = [estimate_of(question) for question in inquiry.questions]
    unpriced = [bound.model for bound in bounds if bound.max_cost_pico is None]
    limit = show_cost(limit_pico)
    if unpriced:
        raise LLMError(
            say(
                f"The price of {', '.join(unpriced)} is not known here, so --max-cost {limit} "
                "cannot be kept and nothing was sent.",
                f"Der Preis von {', '.join(unpriced)} ist hier nicht bekannt, also kann --max-cost "
                f"{limit} nicht gehalten werden; es wurde nichts gesendet.",
            )
        )
    most_pico = sum(bound.max_cost_pico or 0 for bound in bounds)
    if most_pico > limit_pico:
        raise LLMError(
            say(
                f"This could cost up to {show_cost(most_pico)}, more than --max-cost {limit}, so "
                "nothing was sent. Shorten the question, or lower --max-tokens.",
                f"Das könnte bis zu {show_cost(most_pico)} kosten, mehr als --max-cost {limit}; es "
                "wurde nichts gesendet. Kürze die Frage oder senke --max-tokens.",
            )
        )


def _tell(desk: Desk, inquiry: Inquiry) -> None:
    """What is worth knowing beforehand: what of a frame goes out, and a price that is felt."""
    from swsllm_nb.tokenizer import count_tokens

    for filled in inquiry.filled:
        if filled.part:
            tokens = count_tokens(filled.text)
            sys.stdout.write(f"{{{{ {filled.name} }}}}: {filled.part}, {tokens:,} tokens\n")
    left_pico = desk.last.remaining_pico if desk.last else None
    if left_pico is None or left_pico <= 0:
        return
    threshold_pico = left_pico // _WORTH_A_WORD
    if not any(may_cost_more_than(threshold_pico, each) for each in inquiry.questions):
        return
    most_pico = sum(estimate_of(each).max_cost_pico or 0 for each in inquiry.questions)
    if most_pico > threshold_pico:
        share = 100 * most_pico // left_pico
        sys.stdout.write(
            say(
                f"This can cost up to {show_cost(most_pico)}, {share} % of the "
                f"{show_left(left_pico)} that are left.\n",
                f"Das kann bis zu {show_cost(most_pico)} kosten, {share} % der "
                f"{show_left(left_pico)}, die übrig sind.\n",
            )
        )
