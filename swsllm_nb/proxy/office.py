"""What staff do, whatever they do it with: words in, one act on the course, its note in the trail.

The page, the command line and the staff API call the same methods. Each raises ValueError, with a
sentence for people, for what cannot be done.
"""

from swsllm_nb.proxy.account_acts import AccountActs
from swsllm_nb.proxy.acts import Credentials, Done
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.course import keep_secret_check
from swsllm_nb.proxy.course_acts import CourseActs
from swsllm_nb.proxy.roster_acts import RosterActs, RosterLine, RosterReport
from swsllm_nb.proxy.staff_acts import StaffActs, StaffCredentials
from swsllm_nb.proxy.store import Store

__all__ = [
    "Credentials",
    "Done",
    "Office",
    "RosterLine",
    "RosterReport",
    "StaffCredentials",
    "check_secret",
]


class Office(AccountActs, RosterActs, CourseActs, StaffActs):
    """All that one member of staff can do: ``Office(store, secret, author)``."""


async def check_secret(store: Store, secret: Secret) -> None:
    """Raises ValueError where the course's keys were hashed with another secret."""
    check = secret.check_value()
    if not await store.write(lambda: keep_secret_check(check)):
        raise ValueError(
            "The secret is not the one that this course's keys were made with, so none of them "
            "would work. Restore the file 'secret' (or SWSLLM_SECRET) from a backup."
        )
