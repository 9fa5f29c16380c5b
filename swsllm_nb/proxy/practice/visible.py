"""The text of an answer as it grows: whole characters only, and nothing from a stop text on."""

import codecs
from collections.abc import Sequence

__all__ = ["VisibleText"]


class VisibleText:
    """Takes the bytes of token after token and says what may be shown of them."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self.stopped = False
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    def add(self, token: bytes) -> str:
        """What can be shown now; what may be the beginning of a stop text is held back."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(token)
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self.stopped = True
            shown, self._held = self._held[: min(places)], ""
            return shown
        cut = len(self._held) - self._stop_begun()
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def rest(self) -> str:
        """What was held back, once it is known that no stop text follows."""
        held, self._held = self._held, ""
        return held

    def _stop_begun(self) -> int:
        """The length of the longest end of the held text that begins a stop text."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
