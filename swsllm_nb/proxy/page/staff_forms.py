"""Forms that change only what was changed in them.

Each field is sent with what it said before. Of two teachers who have the same form open, neither
takes back what the other one changed.
"""

from collections.abc import Iterable

from swsllm_nb.proxy.page.visit import Visit

__all__ = ["changed_fields", "chosen_models"]


def changed_fields(visit: Visit, names: Iterable[str]) -> dict[str, str]:
    """The fields whose text is another than it was when the form was shown."""
    now = {name: visit.field(name).strip() for name in names}
    return {name: text for name, text in now.items() if text != visit.field(f"was.{name}").strip()}


def chosen_models(which: str, ticked: str) -> str | None:
    """Models parted by commas: "" for every one, None where they are to stay as they are.

    Raises ValueError, with a sentence, where ``which`` was chosen and what was ticked do not agree.
    """
    if which == "these" and not ticked:
        raise ValueError("No model is ticked: tick one at least, or choose every model.")
    if ticked and which != "these":
        raise ValueError("Models are ticked: choose 'only these' as well, or tick none.")
    return {"all": "", "these": ticked}.get(which)
