"""``%llm log``: every call, and how to forget them."""

import sys
from collections.abc import Sequence

from swsllm_nb.notebook.commands.line import ask_back, taken
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.frames import table_html
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.markdown import printable

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """The frame of every call; --notebook only of this one; --clear deletes all, after asking."""
    from IPython.display import display

    given = taken("log", words, switches=("--notebook", "--clear"))
    if "--clear" in given.switches:
        if "--notebook" in given.switches:
            raise LLMError(
                say(
                    "The log is cleared as a whole: leave out --notebook. Nothing was deleted.",
                    "Das Protokoll wird nur im Ganzen geleert: Lass --notebook weg. Es wurde "
                    "nichts gelöscht.",
                )
            )
        _clear(desk)
        return
    frame = desk.course().log("notebook" if "--notebook" in given.switches else "account")
    bundle = {"text/html": table_html(frame), "text/plain": printable(str(frame))}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def _clear(desk: Desk) -> None:
    course = desk.course()
    count = len(course.log())
    calls = "call" if count == 1 else "calls"
    prompt = say(
        f"Delete {count:,} {calls} of this account from this machine, prompts and answers for "
        "good? y/n ",
        f"{count:,} Aufrufe dieses Kontos von diesem Rechner löschen, Fragen und Antworten für "
        "immer? j/n ",
    )
    otherwise = say(
        "--clear asks first, and this front end cannot ask, so nothing was deleted. Run it in "
        "JupyterLab or a terminal.",
        "--clear fragt erst nach, und hier lässt sich nichts eingeben; es wurde nichts gelöscht. "
        "Bitte in JupyterLab oder einem Terminal ausführen.",
    )
    if ask_back(prompt, otherwise).lower() not in ("y", "yes", "j", "ja"):
        sys.stdout.write(say("Nothing was deleted.\n", "Es wurde nichts gelöscht.\n"))
        return
    deleted = course.clear_log()
    calls = "call" if deleted == 1 else "calls"
    sys.stdout.write(
        say(
            f"Deleted: {deleted:,} {calls}. What was spent stays spent.\n",
            f"Gelöscht: {deleted:,} Aufrufe. Was ausgegeben ist, bleibt ausgegeben.\n",
        )
    )
