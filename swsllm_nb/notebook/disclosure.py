"""A hand-in text about the recorded use of language models, in Markdown."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.money import PICO_PER_USD, show_cost
from swsllm_nb.notebook.errors import scrub
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.markdown import printable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MARK", "statement_of"]

MARK: Final = "<!-- AI use, recorded by swsllm_nb -->"
"""The first line: by it a statement is told from a file of somebody else's."""

_TICKS: Final = re.compile("`+")


@dataclass(frozen=True)
class _Sum:
    """Calls of one model; ``unknown`` are those whose cost is not known."""

    model: str
    calls: int
    tokens: int
    cost_pico: int
    unknown: int

    @property
    def cost(self) -> str:
        if self.unknown == self.calls:
            return say("unknown", "unbekannt")
        cost = show_cost(self.cost_pico)
        more = say(f" and {self.unknown:,} unknown", f" und {self.unknown:,} unbekannt")
        return cost + (more if self.unknown else "")


def statement_of(frame: "pd.DataFrame", notebook: str, key: str) -> str:
    """Models, calls, tokens, cost and days of a call log, with the prompts as an appendix.

    Refused calls cost nothing, got no answer, and are only counted. ``key`` is in no text.
    """
    answered = frame[frame["status"] != "refused"]
    refused = len(frame) - len(answered)
    parts = [MARK, f"# {say('Use of language models', 'Nutzung von Sprachmodellen')}", ""]
    parts += [_scope(notebook), ""]
    if answered.empty:
        parts.append(say("No call is recorded.", "Es ist kein Aufruf aufgezeichnet."))
        return "\n".join(parts) + "\n"
    parts += [_days(answered), "", *_table(answered)]
    if refused:
        parts += ["", _refused(refused)]
    parts += ["", f"## {say('Appendix: the prompts', 'Anhang: die Prompts')}", ""]
    parts += _prompts(answered, key)
    return "\n".join(parts) + "\n"


def _scope(notebook: str) -> str:
    what = say(f"the notebook {notebook}", f"das Notebook {notebook}")
    unnamed = say("this session of the notebook", "diese Sitzung des Notebooks")
    of = what if notebook else unnamed
    return say(
        f"This is about {of}, and about recorded activity only: the calls that were made with "
        "swsllm_nb, with this key, from this machine, and that are still in its log. Other tools, "
        "other keys, other machines and a log that was cleared are not in it.",
        f"Hier geht es um {of}, und nur um aufgezeichnete Aktivität: die Aufrufe, die mit "
        "swsllm_nb, mit diesem Schlüssel und von diesem Rechner gemacht wurden und noch im "
        "Protokoll stehen. Andere Werkzeuge, Schlüssel und Rechner und ein geleertes Protokoll "
        "sind nicht enthalten.",
    )


def _days(frame: "pd.DataFrame") -> str:
    first, last = frame["at"].min().date(), frame["at"].max().date()
    if first == last:
        return say(f"Recorded on {first} (UTC).", f"Aufgezeichnet am {first} (UTC).")
    return say(
        f"Recorded from {first} to {last} (UTC).", f"Aufgezeichnet vom {first} bis {last} (UTC)."
    )


def _table(frame: "pd.DataFrame") -> Iterator[str]:
    model, calls = say("model", "Modell"), say("calls", "Aufrufe")
    tokens, cost = say("tokens", "Tokens"), say("cost", "Kosten")
    total = say("together", "zusammen")
    yield f"| {model} | {calls} | {tokens} | {cost} |"
    yield "|---|---|---|---|"
    sums = [_sum(str(name), calls_of) for name, calls_of in frame.groupby("model")]
    if len(sums) > 1:
        sums.append(_sum(total, frame))
    for each in sums:
        name = each.model.replace("|", "\\|")
        yield f"| {name} | {each.calls:,} | {each.tokens:,} | {each.cost} |"


def _sum(name: str, frame: "pd.DataFrame") -> _Sum:
    costs: list[float] = frame["cost_usd"].tolist()
    known = [round(cost * PICO_PER_USD) for cost in costs if not isnan(cost)]
    tokens: Any = frame[["prompt_tokens", "completion_tokens"]].sum().sum()
    return _Sum(name, len(frame), int(tokens), sum(known), len(costs) - len(known))


def _refused(count: int) -> str:
    if count == 1:
        return say(
            "1 further call was refused and got no answer.",
            "1 weiterer Aufruf wurde abgelehnt und blieb ohne Antwort.",
        )
    return say(
        f"{count:,} further calls were refused and got no answer.",
        f"{count:,} weitere Aufrufe wurden abgelehnt und blieben ohne Antwort.",
    )


def _prompts(frame: "pd.DataFrame", key: str) -> Iterator[str]:
    columns: Sequence[str] = ("at", "model", "status", "prompt")
    for number, row in enumerate(zip(*(frame[name] for name in columns), strict=True), start=1):
        at, model, status, prompt = row
        note = "" if status == "ok" else f" · {status}"
        yield f"{number}. {at:%Y-%m-%d %H:%M} · {model}{note}"
        yield ""
        yield from _fenced(
            printable(scrub(str(prompt), key)) or say("(not kept)", "(nicht aufgehoben)")
        )
        yield ""


def _fenced(text: str) -> Iterator[str]:
    """The text as it is: a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"   {fence}text"
    yield from (f"   {line}" for line in text.splitlines())
    yield f"   {fence}"
