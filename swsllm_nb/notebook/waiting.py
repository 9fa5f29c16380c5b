"""The pause before a call is tried again: how long, and counted down where it can be seen."""

import math
import random
import time
from collections.abc import Callable
from typing import Final

from swsllm_nb.notebook.errors import Interrupted, Retry
from swsllm_nb.notebook.language import say

__all__ = ["TRIES", "Patience"]

TRIES: Final = 3
PATIENCE_SECONDS: Final = 60.0
"""From the first failure on; what could only be tried later fails at once."""

PAUSES_SECONDS: Final = (2.0, 6.0)
_JITTER: Final = 0.25
_STEP_SECONDS: Final = 0.05
_UNSEEN_SECONDS: Final = 0.5


class Patience:
    """How long the tries of one question may be waited for, all together."""

    def __init__(self) -> None:
        self._ends_at = math.inf

    def pause_seconds(self, retry: Retry | None, tries: int) -> float | None:
        """The pause after so many tries; None where another one makes no sense any more.

        It is what the server asks for; else longer each time, and not the same for a whole class.
        """
        now = time.monotonic()
        self._ends_at = min(self._ends_at, now + PATIENCE_SECONDS)
        if retry is None or tries >= TRIES:
            return None
        pause = retry.after_seconds
        if pause is None:
            pause = PAUSES_SECONDS[tries - 1] * random.uniform(1, 1 + _JITTER)  # noqa: S311
        return pause if now + pause <= self._ends_at else None

    def wait(self, why: str, seconds: float, notice: Callable[[str], None]) -> None:
        """Counts down. Raises Interrupted as soon as it is interrupted."""
        ends_at = time.monotonic() + seconds
        shown = 0
        try:
            while (left := ends_at - time.monotonic()) > 0:
                whole = math.ceil(left)
                if whole != shown and seconds >= _UNSEEN_SECONDS:
                    shown = whole
                    notice(_line(why, whole))
                time.sleep(min(left, _STEP_SECONDS))
        except KeyboardInterrupt:
            raise Interrupted(sentence=_stopped()) from None
        finally:
            if shown:
                notice("")


def _line(why: str, seconds: int) -> str:
    return say(f"{why}; trying again in {seconds} s …", f"{why}; neuer Versuch in {seconds} s …")


def _stopped() -> str:
    return say(
        "Stopped while waiting for another try: no call was running.",
        "Beim Warten auf einen neuen Versuch angehalten: Es lief kein Aufruf.",
    )
