"""Why the cost of a call is not known, in the words that the ledger keeps beside its charge."""

from enum import StrEnum

__all__ = ["Doubt"]


class Doubt(StrEnum):
    """The reason of an unconfirmed charge; of those from before it was kept there is none."""

    NO_ANSWER = "the connection to the model's server broke, or it was silent, before it answered"
    BROKEN_OFF = "the model's server broke off, or was silent, before the answer was complete"
    ERROR_INSIDE = "the model's server reported an error in the middle of the answer"
    UNREADABLE = "what the model's server sent is no answer that can be read"
    TOO_LONG = "the answer was longer than the proxy passes on"
    NO_USAGE = "the answer is complete, and the model's server did not say what it used"
    REFUSED = "the model's server failed, and did not say whether it billed the call"
    PROXY_FAILED = "the proxy itself failed while the call was running"
    PROXY_DIED = "the proxy was stopped while the call was running"
