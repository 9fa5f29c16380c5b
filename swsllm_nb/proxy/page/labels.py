"""What was typed into a form, under the labels that stood beside it."""

from collections.abc import Iterator, Sequence
from typing import Final

from swsllm_nb.proxy.page.visit import Visit

__all__ = ["as_seen"]

_LABELS: Final[dict[str, str]] = {
    "act": "Act",
    "account": "Chosen accounts",
    "aliases": "Other names, parted by commas",
    "amount": "Amount for each, in dollars",
    "as_sheet": "This report as CSV",
    "begins": "First day",
    "budget": "Budget in dollars",
    "cache_write_usd": "In, into the cache",
    "cached_input_usd": "In, from cache",
    "cap_field": "Field that carries the maximum",
    "cap_usd": "The most that all may spend together, in dollars",
    "contact": "Whom to ask",
    "context_tokens": "Tokens of prompt and answer together",
    "default": "Take it where no model is named",
    "default_budget_usd": "Budget in dollars",
    "default_cap_tokens": "Longest answer where none is asked for",
    "email": "E-mail",
    "enabled": "Offer it to students",
    "encoding": "Encoding by which tokens are counted",
    "ends": "Last day",
    "everything": "All that were found, also those on other pages",
    "floor_cap_tokens": "Least to which a small budget lowers it",
    "full_name": "Full name",
    "in_flight": "Calls at the same time",
    "input_usd": "In, dollars for a million tokens",
    "keys_shown_once": "Show each key only once, and keep none",
    "language": "Language of the page",
    "like": "With the limits and rules of",
    "long_above_tokens": "Prompts of more than so many tokens",
    "long_cache_write_usd": "In, into the cache, of long prompts",
    "long_cached_input_usd": "In, from cache, of long prompts",
    "long_input_usd": "In, of long prompts",
    "long_output_usd": "Out, after long prompts",
    "max_output_tokens": "Longest answer, in tokens",
    "model": "Model",
    "multiplier": "All these prices times",
    "name": "Name to sign in with",
    "no": "Do nothing",
    "no_begin": "no first day",
    "no_end": "no last day",
    "on": "From this day on",
    "only": "Status",
    "output_usd": "Out",
    "per_minute": "Calls per minute",
    "q": "Name or e-mail",
    "reason": "Reason",
    "request_id": "Request",
    "retention_days": "Keep single calls for so many days",
    "serve_by_successor": "From that day on the successor answers in its place, at its own price",
    "shutdown_date": "Shut down on",
    "source": "Where the price is from",
    "successor": "Successor",
    "upstream_model": "Dated snapshot that is asked for upstream",
    "upstreams": "Only these upstreams, parted by commas",
    "valid_from": "A changed price holds from",
    "which_models": "Models",
}
_ELSEWHERE: Final[dict[tuple[str, str], str]] = {
    ("/staff/course", "name"): "Name of the course",
    ("/staff/models/add", "model"): "Its dated name, as upstream says it",
    ("/staff/models/retire", "successor"): "Use instead",
}
_CHOICES: Final[dict[tuple[str, str], str]] = {
    ("act", "add"): "Add a colleague",
    ("act", "delete"): "Delete",
    ("act", "disable"): "Disable",
    ("act", "enable"): "Enable",
    ("act", "grant"): "Grant budget",
    ("act", "key"): "New key",
    ("act", "limit"): "Set limits",
    ("act", "password"): "Reset password",
    ("act", "renew_keys"): "Renew keys",
    ("act", "reset_passwords"): "Reset passwords",
    ("act", "revoke"): "Revoke keys",
    ("language", "de"): "Deutsch",
    ("language", "en"): "English",
    ("which_models", "all"): "every model",
    ("which_models", "these"): "only these:",
}
_TICKS: Final = (
    "as_sheet", "default", "enabled", "everything", "keys_shown_once", "no", "no_begin", "no_end",
    "serve_by_successor",
)  # fmt: skip
_UNSEEN: Final = ("token",)


def as_seen(visit: Visit, path: str, typed: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Labels and values in the language of the visit, without what nobody typed or changed."""
    before = {name.removeprefix("was."): text for name, text in typed if name.startswith("was.")}
    chosen = sum(name == "account" for name, _ in typed)
    if chosen:
        yield visit.say(_LABELS["account"]), str(chosen)
    unticked = [(name, "") for name in _TICKS if name not in dict(typed)]
    for name, text in (*typed, *unticked):
        unseen = name.startswith("was.") or name in ("account", *_UNSEEN)
        if not unseen and before.get(name, "") != text:
            yield _label(visit, path, name), _value(visit, name, text)


def _label(visit: Visit, path: str, name: str) -> str:
    return visit.say(_ELSEWHERE.get((path, name)) or _LABELS.get(name, name))


def _value(visit: Visit, name: str, text: str) -> str:
    if name in _TICKS:
        return visit.say("yes" if text else "no")
    chosen = text if name == "only" else _CHOICES.get((name, text))
    return visit.say(chosen) if chosen else text or "–"
