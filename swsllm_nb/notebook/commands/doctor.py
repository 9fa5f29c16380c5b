"""``%llm doctor``: what is well, what is not, and what to do about it."""

import sys
from collections.abc import Sequence

from swsllm_nb.notebook.checkup import Finding, examine
from swsllm_nb.notebook.commands.line import taken
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.language import say

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """Looks at key, .env, proxy, clock, account, model and log; --fix mends what it can."""
    given = taken("doctor", words, switches=("--fix",))
    findings = list(examine(desk, fix="--fix" in given.switches))
    sys.stdout.write("".join(map(_line, findings)))
    ill = sum(not finding.is_well for finding in findings)
    sys.stdout.write(
        say("All is well.\n", "Alles in Ordnung.\n")
        if not ill
        else say(f"Not ok: {ill}.\n", f"Nicht in Ordnung: {ill}.\n")
    )


def _line(finding: Finding) -> str:
    mark = say("ok", "ok") if finding.is_well else say("NOT OK", "NICHT OK")
    advice = f" → {finding.advice}" if finding.advice else ""
    return f"{mark:<8} {finding.name:<9} {finding.said}{advice}\n"
