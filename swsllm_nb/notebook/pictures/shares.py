"""What groups of calls cost, and how many tokens they took."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.notebook.pictures.axes import usd
from swsllm_nb.notebook.pictures.history import ADJUSTMENT, GRANT, History

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TOKEN_PARTS", "Share", "cost_table", "shares_of", "token_table"]

TOKEN_PARTS: Final = ("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens")


@dataclass(frozen=True)
class Share:
    """A group's calls and what became of them: pico-dollars, and tokens that are not in each other.

    ``prompt_tokens`` are those not cached, ``completion_tokens`` those not of reasoning.
    ``unknown`` counts its calls of unknown cost, ``uncounted`` those without counts of tokens.
    """

    name: str
    calls: int = 0
    cost_pico: int = 0
    unknown: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    uncounted: int = 0

    @property
    def tokens(self) -> int:
        parts = (self.prompt_tokens, self.cached_tokens)
        return sum(parts) + self.completion_tokens + self.reasoning_tokens

    def plus(self, other: "Share") -> "Share":
        sums = {
            name: value + getattr(other, name)
            for name, value in vars(self).items()
            if name != "name"
        }
        return Share(self.name, **sums)


def shares_of(history: History, by: str) -> list[Share]:
    """A share per group, in the order in which they came."""
    # One of them has the fields in their order, after the name.
    found: dict[str, list[int]] = {}
    counts = zip(*(history.counts(column) for column in TOKEN_PARTS), strict=True)
    names, states = history.groups(by), history.texts("state")
    for event, name, cost, is_unknown, state, four in zip(
        *(history.events, names, history.costs_pico, history.is_unknown, states, counts),
        strict=True,
    ):
        if event == GRANT:
            continue
        sums = found.setdefault(name, [0] * 8)
        sums[1] += cost
        if event == ADJUSTMENT:
            continue
        prompt, cached, completion, reasoning = (count or 0 for count in four)
        sums[0] += 1
        sums[2] += is_unknown
        sums[3] += max(0, prompt - cached)
        sums[4] += cached
        sums[5] += max(0, completion - reasoning)
        sums[6] += reasoning
        sums[7] += None in (four[0], four[2]) and event != "refused" and state != "released"
    return [Share(name, *sums) for name, sums in found.items()]


def cost_table(shares: list[Share], by: str) -> "pd.DataFrame":
    """The dearest first: calls, cost in USD, and its part of all; unknown costs counted."""
    import pandas as pd

    ranked = sorted(shares, key=lambda share: -share.cost_pico)
    whole = sum(share.cost_pico for share in ranked)
    columns: dict[str, Any] = {
        by: pd.Series([share.name for share in ranked], dtype="str"),
        "calls": pd.Series([share.calls for share in ranked], dtype="Int64"),
        "cost_usd": pd.Series([usd(share.cost_pico) for share in ranked], dtype="float64"),
        "share": [share.cost_pico / whole if whole else float("nan") for share in ranked],
        "unknown_cost": pd.Series([share.unknown for share in ranked], dtype="Int64"),
    }
    return pd.DataFrame(columns)


def token_table(shares: list[Share], by: str) -> "pd.DataFrame":
    """Those with the most tokens first. The four counts add up: none is part of another."""
    import pandas as pd

    ranked = sorted(shares, key=lambda share: -share.tokens)
    columns: dict[str, Any] = {by: pd.Series([share.name for share in ranked], dtype="str")}
    for name in ("calls", *TOKEN_PARTS, "tokens", "uncounted"):
        counts = [getattr(share, name) for share in ranked]
        columns[_COLUMNS.get(name, name)] = pd.Series(counts, dtype="Int64")
    return pd.DataFrame(columns)


_COLUMNS: Final = {
    "prompt_tokens": "fresh_prompt_tokens",
    "completion_tokens": "answer_tokens",
    "uncounted": "calls_without_counts",
}
