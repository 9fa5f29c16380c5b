"""``%llm statement``: what to hand in about the use of language models."""

import sys
from collections.abc import Sequence
from pathlib import Path

from swsllm_nb.notebook.commands.line import taken
from swsllm_nb.notebook.commands.tables import show_html
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.disclosure import MARK, statement_of
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.markdown import clean_html

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """The recorded AI use of this notebook as a text to hand in; --out NAME.md writes it."""
    given = taken("statement", words, values=("--out",))
    course = desk.course()
    notebook = desk.whereabouts.notebook
    text = statement_of(course.log("notebook"), notebook, course.connection.key)
    if "--out" in given.values:
        _write(Path(given.values["--out"]), text)
        return
    shown = text.removeprefix(MARK).lstrip()
    show_html(clean_html(shown), shown)


def _write(path: Path, text: str) -> None:
    """Never in place of a file that is no statement."""
    try:
        replaces = path.exists()
        if replaces and not path.read_text("utf-8").startswith(MARK):
            raise LLMError(
                say(
                    f"{path} is there already and is no statement of ours, so it was left as it "
                    "is: choose another name.",
                    f"{path} gibt es schon und ist keine Erklärung von hier, blieb also, wie es "
                    "ist: Nimm einen anderen Namen.",
                )
            )
        path.write_text(text, "utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LLMError(
            say(
                f"{path} cannot be written ({type(error).__name__}); choose another name.",
                f"{path} lässt sich nicht schreiben ({type(error).__name__}); nimm einen anderen "
                "Namen.",
            )
        ) from None
    in_place = say(", in place of the earlier statement", ", an Stelle der früheren Erklärung")
    written = say(f"Written: {path}", f"Geschrieben: {path}")
    sys.stdout.write(f"{written}{in_place if replaces else ''}.\n")
