"""The budget as a widget, which follows the calls of all cells."""

from typing import Any

import ipywidgets  # type: ignore[import-untyped]

from swsllm_nb.notebook.gauge import Budget, Follow

__all__ = ["BudgetWidget"]


class BudgetWidget(ipywidgets.HTML):  # type: ignore[misc]
    """Shows the latest budget it was told; closed, it follows no more."""

    def __init__(self, budget: Budget, follow: Follow | None) -> None:
        super().__init__(value=budget.html())
        self._shown = budget
        self._stop = follow(self._tell) if follow else None

    def close(self) -> None:
        if self._stop:
            self._stop()
        super().close()

    def _tell(self, budget: Budget | None) -> None:
        # A server that kept accounts and shows none now is one that is being restarted.
        is_lost = budget is None or (budget.told_by, self._shown.told_by) == ("log", "proxy")
        if budget is not None and not is_lost:
            self._shown = budget
        self.value = self._shown.html(is_current=not is_lost)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        # What is read where no widgets run: in a notebook that nobody trusts, or on paper.
        return bundle and {**bundle, "text/html": self.value, "text/plain": str(self._shown)}
