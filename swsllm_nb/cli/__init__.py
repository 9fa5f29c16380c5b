"""The words at the prompt. Each command imports what it needs when it runs."""

import sys

import click

from swsllm_nb.cli import (
    accounts,
    budgets,
    course,
    doctor,
    invoices,
    models,
    overview,
    rehearsing,
    rosters,
    running,
    serving,
    staff,
    usage,
)

__all__ = ["main"]


def main() -> None:
    """Run the command line; a mistake is one sentence and a non-zero exit code."""
    try:
        commands(prog_name="swsllm")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("swsllm_nb", ""):
            raise
        extra = "postgres" if missing == "asyncpg" else "lab"
        sys.exit(
            f"swsllm: this needs the package {missing}. "
            f"Install what a teacher runs: pip install 'swsllm-nb[{extra}]'"
        )


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nA course, from its first day on:\n"
    "  swsllm staff add mueller\n"
    "  swsllm course set --name 'Language models' --default-budget 5.00\n"
    "  swsllm account import roster.csv --dry-run\n"
    "  swsllm account import roster.csv --sheet --output slips.txt\n"
    "  swsllm doctor --upstream https://api.openai.com/v1\n"
    "  swsllm serve --upstream https://api.openai.com/v1 --prefix /sws-llm-proxy\n"
    "  swsllm course overview\n",
)
@click.version_option(package_name="swsllm-nb")
def commands() -> None:
    """A course's language models in notebooks, within each student's budget."""


for _command in (
    serving.lab, serving.serve, serving.migrate, accounts.account, budgets.budget, budgets.key,
    usage.usage, models.model, course.course, course.ledger, staff.staff, staff.audit,
    running.backup, running.restore, running.deploy, doctor.doctor, rehearsing.rehearse,
):  # fmt: skip
    commands.add_command(_command)
for _command in (rosters.account_import, rosters.account_password):
    accounts.account.add_command(_command)
course.course.add_command(overview.course_overview)
course.ledger.add_command(invoices.ledger_invoice)
