"""What is offered now: the catalogue as staff changed it, on the day that it is."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime

from swsllm_nb.catalogue import Catalogue, Model, Row, catalogue_on, overlaid
from swsllm_nb.proxy.errors import ModelNotFound

__all__ = ["Offer", "ReadRows", "utc_today"]

_NAME_CHARACTERS = 100

log = logging.getLogger(__name__)


REFRESH_SECONDS = 5

ReadRows = Callable[[], Awaitable[Mapping[str, Row]]]
"""Reads the rows that staff changed, by model id."""


def utc_today() -> date:
    return datetime.now(UTC).date()


class Offer:
    """The models of today. Prices and shut-downs take effect on their day, in a running process.

    Where nothing ``ages``, as with the practice model, shut-down dates do not bite: course
    material on a model that is gone goes on working.
    """

    def __init__(self, *, ages: bool, today: Callable[[], date] = utc_today) -> None:
        self._ages = ages
        self._today = today
        self._staff_rows: Mapping[str, Row] = {}
        self._rows = overlaid({})
        self._day = today()
        self._catalogue = catalogue_on(self._rows, self._day)
        self._complaint = ""

    @property
    def catalogue(self) -> Catalogue:
        day = self._today()
        if day != self._day:
            self._day, self._catalogue = day, catalogue_on(self._rows, day)
        return self._catalogue

    def model(self, name: str) -> Model:
        """The model that serves a name today. Raises ModelNotFound in OpenAI's words and ours."""
        asked = self.catalogue.find(name)
        serving = asked and self.serving(asked)
        if serving:
            return serving
        reason = self._why_gone(asked) if asked else self._what_there_is()
        raise ModelNotFound(
            f"The model `{name[:_NAME_CHARACTERS]}` does not exist or you do not have access to "
            f"it. {reason}"
        )

    def serving(self, model: Model) -> Model | None:
        """Who answers for a model today: itself, a successor, or nobody any more."""
        passed = set()
        while self._is_gone(model):
            passed.add(model.id)
            successor = self._successor(model) if model.serve_by_successor else None
            if successor is None or successor.id in passed:
                return None
            model = successor
        return model

    async def follow(self, read_rows: ReadRows) -> None:
        """Refresh for ever, so that what staff change is offered in every process soon."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh(read_rows)

    async def refresh(self, read_rows: ReadRows) -> None:
        """Read staff's rows anew. Where that fails, what was offered stays; nothing is raised."""
        try:
            staff_rows = await read_rows()
            if staff_rows != self._staff_rows:
                rows = overlaid(staff_rows)
                self._catalogue = catalogue_on(rows, self._day)
                self._rows, self._staff_rows = rows, staff_rows
            self._complaint = ""
        except Exception as error:
            # It is asked every few seconds: the same complaint is one line.
            complaint = f"{type(error).__name__}: {error}"
            if complaint != self._complaint:
                log.error("the models on offer stay as they were: %s", complaint)  # noqa: TRY400
            self._complaint = complaint

    def _is_gone(self, model: Model) -> bool:
        end = model.shutdown_date
        return self._ages and end is not None and end <= self._today()

    def _successor(self, model: Model) -> Model | None:
        return self.catalogue.find(model.successor) if model.successor else None

    def _why_gone(self, model: Model) -> str:
        ended = f"It was shut down on {model.shutdown_date}"
        if model.successor is None:
            advice = "ask the teaching staff which model to use instead"
            return f"{ended}; {advice}. {self._what_there_is()}"
        successor = self._successor(model)
        if successor and self.serving(successor):
            return f"{ended}; use `{model.successor}`."
        return (
            f"{ended}, and its successor `{model.successor}` is not switched on here: ask the "
            f"teaching staff. {self._what_there_is()}"
        )

    def _what_there_is(self) -> str:
        offered = [model.id for model in self.catalogue.models if self.serving(model)]
        return f"This proxy offers: {', '.join(offered) or 'none'}."
