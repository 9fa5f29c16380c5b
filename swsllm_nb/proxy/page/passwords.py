"""Which passwords people may choose."""

from typing import Final

__all__ = ["complaint"]

_SHORTEST: Final = 10
_LONGEST: Final = 200
_LEAST_DIFFERENT: Final = 4


def complaint(old: str, new: str, again: str, name: str) -> str | None:
    """Why a password cannot be chosen, in English; None where it can."""
    if len(new) < _SHORTEST:
        return "The new password is too short: take at least 10 characters."
    if len(new) > _LONGEST:
        return "The new password is too long: take at most 200 characters."
    if new.strip().lower() == name.lower() or len(set(new)) < _LEAST_DIFFERENT:
        return "The new password is too easy to guess. Take another."
    if new == old:
        return "The new password is the old one. Take another."
    if new != again:
        return "The two new passwords are not the same. Nothing was changed."
    return None
