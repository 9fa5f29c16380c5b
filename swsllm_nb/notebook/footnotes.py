"""The line under an answer: which model, how many tokens, what it cost, and what is left."""

from swsllm_nb.money import show_cost, show_left
from swsllm_nb.notebook.language import grouped, say
from swsllm_nb.wire import Usage

__all__ = ["cost_text", "footnote", "tokens_text"]


def footnote(
    model: str,
    usage: Usage | None,
    cost_pico: int | None,
    cost_source: str = "proxy",
    remaining_pico: int | None = None,
    budget_pico: int | None = None,
    finish_reason: str | None = None,
    practice: bool = False,
) -> str:
    """One line of text: ``gpt-4o-mini · 312 in + 88 out · $0.0001 · $3.91 of $5.00 left``.

    ``cost_source`` is one of the call log's. What is not known is left out, but for the cost: an
    unknown one is called unknown, never $0.
    """
    parts = (
        model,
        tokens_text(usage),
        cost_text(cost_pico, cost_source),
        _left(remaining_pico, budget_pico),
        say("practice model", "Modell zum Üben") if practice else "",
        _finish_note(finish_reason),
    )
    return " · ".join(part for part in parts if part)


def tokens_text(usage: Usage | None) -> str:
    """Such as ``312 in + 88 out``; empty where nobody counted."""
    if usage is None:
        return ""
    tokens_in = _count(usage.prompt_tokens, "in")
    tokens_out = _count(usage.completion_tokens, "out")
    if usage.cached_tokens:
        tokens_in += f" ({_count(usage.cached_tokens, say('cached', 'aus dem Cache'))})"
    if usage.reasoning_tokens:
        reasoning = say("of them reasoning", "davon zum Nachdenken")
        tokens_out += f", {_count(usage.reasoning_tokens, reasoning)}"
    return f"{tokens_in} + {tokens_out}"


def _count(tokens: int, word: str) -> str:
    return f"{grouped(tokens)} {word}"


def cost_text(cost_pico: int | None, cost_source: str) -> str:
    """Such as ``about $0.0001``; ``cost_source`` is one of the call log's."""
    if cost_pico is None or cost_source == "unknown":
        return say("cost unknown", "Kosten unbekannt")
    amount = show_cost(cost_pico)
    notes = {
        "computed": say(f"{amount} (by the price list)", f"{amount} (nach Preisliste)"),
        "estimated": say(f"about {amount}", f"etwa {amount}"),
        "replayed": say(f"replayed, was {amount}", f"aus der Aufzeichnung, kostete {amount}"),
    }
    return notes.get(cost_source, amount)


def _left(remaining_pico: int | None, budget_pico: int | None) -> str:
    if remaining_pico is None:
        return ""
    left = show_left(remaining_pico, budget_pico)
    if budget_pico is None:
        return say(f"{left} left", f"{left} übrig")
    budget = show_left(budget_pico)
    return say(f"{left} of {budget} left", f"{left} von {budget} übrig")


def _finish_note(finish_reason: str | None) -> str:
    if finish_reason == "length":
        return say(
            "cut at the token limit: raise --max-tokens",
            "an der Token-Grenze abgeschnitten: --max-tokens erhöhen",
        )
    if finish_reason == "content_filter":
        return say("stopped by the content filter", "vom Inhaltsfilter angehalten")
    return ""
