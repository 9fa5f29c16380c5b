"""The call log against the proxy's ledger, down to the pico-dollar."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal, TypeAlias

from swsllm_nb.money import usd_text
from swsllm_nb.notebook.calls import Call, CallLog
from swsllm_nb.notebook.frames import ledger_frame
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.ledger import Ledger, LedgerCall, settled
from swsllm_nb.notebook.rows import belongs_to

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Matched", "Reconciliation", "reconcile"]

Place: TypeAlias = Literal["notebook", "machine", "elsewhere"]
"""In this notebook; in another on this machine; outside the log of this machine."""


@dataclass(frozen=True)
class Matched:
    """A call of the ledger, and what the log had and now has for its cost, in pico-dollars.

    Both are None where the log has no such row, or none that knew its cost.
    """

    known: LedgerCall
    place: Place
    before_pico: int | None
    after_pico: int | None

    @property
    def was_settled(self) -> bool:
        return self.before_pico != self.after_pico


@dataclass(frozen=True)
class Reconciliation:
    """What the account spent, in pico-dollars, and where. ``str()`` says it in lines.

    ``adjusted_pico``: credits (below zero) and charges of the staff's that name no call.
    ``strays``: rows of the log with a cost that the ledger does not know.
    """

    spent_pico: int
    adjusted_pico: int
    calls: tuple[Matched, ...]
    strays: int

    @property
    def notebook_pico(self) -> int:
        """As the rows of this notebook say."""
        return self._logged_pico("notebook")

    @property
    def machine_pico(self) -> int:
        """As the rows of other notebooks and scripts on this machine say."""
        return self._logged_pico("machine")

    @property
    def elsewhere_pico(self) -> int:
        """As the ledger says of calls that no row on this machine has."""
        return sum(each.known.cost_pico or 0 for each in self._at("elsewhere"))

    @property
    def difference_pico(self) -> int:
        """What was spent and is found in neither log nor ledger: 0."""
        found = self.notebook_pico + self.machine_pico + self.elsewhere_pico + self.adjusted_pico
        return self.spent_pico - found

    @property
    def frame(self) -> "pd.DataFrame":
        """Every call of the ledger, oldest first, with the ``place`` it was made at."""
        return _frame(self.calls)

    @property
    def outside(self) -> "pd.DataFrame":
        """The calls that were not made in this notebook."""
        return _frame([each for each in self.calls if each.place != "notebook"])

    @property
    def settled(self) -> "pd.DataFrame":
        """The calls whose row in the log has only now the proxy's figure."""
        return _frame([each for each in self.calls if each.was_settled])

    @property
    def unsettled(self) -> "pd.DataFrame":
        """The calls that are still held, or charged as unconfirmed."""
        return _frame(self._in_state("held") + self._in_state("unconfirmed"))

    def __str__(self) -> str:
        places: tuple[tuple[str, int, Place], ...] = (
            (say("in this notebook", "in diesem Notebook"), self.notebook_pico, "notebook"),
            (say("else on this machine", "sonst auf diesem Rechner"), self.machine_pico, "machine"),
            (say("outside this machine", "anderswo"), self.elsewhere_pico, "elsewhere"),
        )
        sums = [(name, pico, f"  ({len(self._at(place))})") for name, pico, place in places]
        if self.adjusted_pico:
            sums.append((say("credits", "Gutschriften"), self.adjusted_pico, ""))
        sums.append((say("spent", "ausgegeben"), self.spent_pico, ""))
        sums.append((say("difference", "Unterschied"), self.difference_pico, ""))
        lines = [f"{name:<24} {_usd(pico):>18}{calls}" for name, pico, calls in sums]
        return "\n".join((*lines, *self._remarks()))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f'<pre class="mathjax_ignore">{escape(str(self))}</pre>'

    def _remarks(self) -> list[str]:
        held = self._in_state("held")
        unconfirmed = [each for each in self._in_state("unconfirmed") if each.known.cost_pico]
        settled_now = sum(each.was_settled for each in self.calls)
        remarks = []
        if settled_now:
            remarks.append(
                say(
                    f"Rows of the log that now have the proxy's figure: {settled_now}.",
                    f"Zeilen des Protokolls, die nun den Betrag des Proxys haben: {settled_now}.",
                )
            )
        if held:
            hold_usd = _usd(sum(each.known.hold_pico for each in held))
            remarks.append(
                say(
                    f"Calls that still run: {len(held)}. They hold {hold_usd}; ask again later.",
                    f"Aufrufe, die noch laufen: {len(held)}. Sie halten {hold_usd} zurück; später "
                    "noch einmal fragen.",
                )
            )
        if unconfirmed:
            cost_usd = _usd(sum(each.known.cost_pico or 0 for each in unconfirmed))
            remarks.append(
                say(
                    f"Unconfirmed calls: {len(unconfirmed)}. Their upper bound of {cost_usd} is "
                    "charged; ask the teaching staff to credit it.",
                    f"Unbestätigte Aufrufe: {len(unconfirmed)}. Berechnet ist ihre Obergrenze von "
                    f"{cost_usd}; die Lehrenden können sie gutschreiben.",
                )
            )
        if self.strays:
            remarks.append(
                say(
                    f"Rows of the log that the proxy does not know: {self.strays}.",
                    f"Zeilen des Protokolls, die der Proxy nicht kennt: {self.strays}.",
                )
            )
        return remarks

    def _logged_pico(self, place: Place) -> int:
        return sum(each.after_pico or 0 for each in self._at(place))

    def _at(self, place: Place) -> list[Matched]:
        return [each for each in self.calls if each.place == place]

    def _in_state(self, state: str) -> list[Matched]:
        return [each for each in self.calls if each.known.state == state]


def reconcile(log: CallLog, ledger: Ledger, spent_pico: int, notebook: str) -> Reconciliation:
    """Matches by request id, and gives the log's rows the ledger's figures.

    ``notebook`` is the name of the one that asks; empty means this process.
    """
    before = log.calls()
    rows = _Rows(before)
    matches = [(known, rows.find(known)) for known in ledger.calls]
    changed = {
        row_id: row
        for known, row_id in matches
        if row_id is not None and (row := settled(before[row_id], known)) != before[row_id]
    }
    if changed:
        log.put(changed)
    after = log.calls()

    def matched(known: LedgerCall, row_id: str | None) -> Matched:
        if row_id is None:
            return Matched(known, "elsewhere", None, None)
        place: Place = "notebook" if belongs_to(before[row_id], notebook) else "machine"
        return Matched(known, place, before[row_id].cost_pico, after[row_id].cost_pico)

    found = {row_id for _, row_id in matches}
    strays = sum(bool(row.cost_pico) for row_id, row in before.items() if row_id not in found)
    calls = tuple(matched(known, row_id) for known, row_id in matches)
    return Reconciliation(spent_pico, ledger.adjusted_pico, calls, strays)


class _Rows:
    """The log's rows by what the proxy calls them, or by what the client called them."""

    def __init__(self, calls: dict[str, Call]) -> None:
        self._by_request = {call.request_id: row_id for row_id, call in calls.items()}
        self._by_client = {call.client_id: row_id for row_id, call in calls.items()}

    def find(self, known: LedgerCall) -> str | None:
        row_id = self._by_request.get(known.request_id)
        if row_id is None and known.client_id:
            row_id = self._by_client.get(known.client_id)
        return row_id


def _frame(calls: Sequence[Matched]) -> "pd.DataFrame":
    return ledger_frame([(each.place, each.known) for each in calls])


def _usd(pico: int) -> str:
    text = usd_text(pico)
    return f"-${text[1:]}" if pico < 0 else f"${text}"
