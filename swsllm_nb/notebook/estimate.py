"""What a question can cost at most, before it is sent."""

import json
from dataclasses import dataclass

from swsllm_nb import pricing
from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.money import show_cost
from swsllm_nb.notebook.answer import Question
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import grouped, say
from swsllm_nb.prompt import prompt_tokens

__all__ = ["Estimate", "estimate_of", "may_cost_more_than"]


@dataclass(frozen=True)
class Estimate:
    """An upper bound, counted as the course's proxy counts; ``max_cost_pico`` None is unknown."""

    model: str
    prompt_tokens: int
    cap_tokens: int | None
    max_cost_pico: int | None

    def __str__(self) -> str:
        if self.max_cost_pico is None or self.cap_tokens is None:
            return say(
                f"The price of {self.model} is not known here, so nothing can be said of its cost. "
                "Nothing was sent.",
                f"Der Preis von {self.model} ist hier nicht bekannt, also lässt sich über die "
                "Kosten nichts sagen. Es wurde nichts gesendet.",
            )
        cost = show_cost(self.max_cost_pico)
        return say(
            f"{self.model}: at most {cost} (up to {grouped(self.prompt_tokens)} tokens in, "
            f"{grouped(self.cap_tokens)} out). Nothing was sent.",
            f"{self.model}: höchstens {cost} (bis zu {grouped(self.prompt_tokens)} Tokens hinein, "
            f"{grouped(self.cap_tokens)} hinaus). Es wurde nichts gesendet.",
        )

    __repr__ = __str__


def estimate_of(question: Question) -> Estimate:
    """The bound of a question. Raises LLMError where it does not fit the model's context."""
    model = default_catalogue().find(question.model)
    encoding = model.encoding if model else "o200k_base"
    schema = question.fields.get("response_format")
    tokens = prompt_tokens(
        encoding, question.messages, 0 if schema is None else len(json.dumps(schema).encode())
    )
    if model is None:
        return Estimate(question.model, tokens, None, None)
    try:
        bound = pricing.bound(model, tokens, stated_cap=question.fields.get(model.cap_field))
    except ValueError:
        raise LLMError(
            say(
                f"{question.model} reads {grouped(model.context_tokens)} tokens at once, and this "
                f"question may have {grouped(tokens)}, so nothing was sent. Shorten it.",
                f"{question.model} liest {grouped(model.context_tokens)} Tokens auf einmal, und "
                f"diese Frage hat vielleicht {grouped(tokens)}; es wurde nichts gesendet. "
                "Kürze sie.",
            )
        ) from None
    return Estimate(question.model, tokens, bound.cap_tokens, bound.hold_pico(bound.cap_tokens))


def may_cost_more_than(limit_pico: int, question: Question) -> bool:
    """Whether it is worth counting: no text has more tokens than bytes, which are known at once."""
    model = default_catalogue().find(question.model)
    if model is None:
        return False
    tokens = prompt_tokens("bytes", question.messages, 0)
    rates = model.prices.rates_of(tokens)
    cap = question.fields.get(model.cap_field) or model.default_cap_tokens
    return tokens * rates.dearest_input_pico + int(cap) * rates.output_pico > limit_pico
