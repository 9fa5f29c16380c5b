"""Acts for one account or a selection: asked once with what will happen, and done once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from swsllm_nb.proxy import words
from swsllm_nb.proxy.account_table import found_names
from swsllm_nb.proxy.office import Done, Office
from swsllm_nb.proxy.page import staff_questions as questions
from swsllm_nb.proxy.page.staff_desk import amount, office_of, said
from swsllm_nb.proxy.page.staff_forms import chosen_models
from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.tables import Asked

__all__ = ["answer", "ask"]

_Words: TypeAlias = Mapping[str, str]
_Act: TypeAlias = Callable[[Office, Sequence[str], _Words], Awaitable[list[Done]]]


async def _grant(office: Office, names: Sequence[str], form: _Words) -> list[Done]:
    return await office.grant(names, form["amount"], form["reason"])


async def _limit(office: Office, names: Sequence[str], form: _Words) -> list[Done]:
    """An empty field leaves a limit as it is; a date or models are lifted by a tick."""
    limits = words.limits(
        in_flight=_count(form["in_flight"]),
        per_minute=_count(form["per_minute"]),
        models=chosen_models(form["which_models"], form["models"]),
        begins="" if form["no_begin"] else form["begins"] or None,
        ends="" if form["no_end"] else form["ends"] or None,
    )
    return await office.limit(names, limits)


def _count(text: str) -> int | None:
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text[:40]!r} is no number of calls. Write it such as 8.")
    return int(text) if text else None


_ACTS: Final[dict[str, _Act]] = {
    "grant": _grant,
    "limit": _limit,
    "enable": lambda office, names, _: office.enable(names),
    "disable": lambda office, names, _: office.disable(names),
    "reset_passwords": lambda office, names, _: office.reset_passwords(names),
    "renew_keys": lambda office, names, _: office.renew_keys(names),
    "delete": lambda office, names, _: office.delete(names),
}
_FIELDS: Final = (
    "amount", "reason", "in_flight", "per_minute", "which_models", "begins", "no_begin", "ends",
    "no_end",
)  # fmt: skip
_NOTHING_TYPED: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys((*_FIELDS, "models"), ""))


async def ask(visit: Visit) -> Response:
    """Ask whether an act is to be done to the accounts that were chosen."""
    if visit.request.method != "POST":
        token = visit.query.get("question", "")
        question = await questions.seen(visit, token)
        return questions.gone(visit) if question is None else await _shown(visit, token, question)
    act = visit.field("act")
    names = await _chosen(visit)
    if act not in _ACTS or not names:
        notice = visit.say("Nothing was chosen, so nothing was done. Tick accounts, then an act.")
        return visit.redirect("/staff/accounts", notice)
    return await questions.ask(visit, "/staff/act", {"act": act, "names": names})


async def answer(visit: Visit) -> Response:
    """Do what was asked about, once; what cannot be done is told, and what was typed is kept."""
    question = await questions.answered(visit)
    if question is None:
        return questions.gone(visit)
    if visit.field("no"):
        return visit.redirect("/staff/accounts", visit.say("Nothing was done."))
    act, names = question["act"], question["names"]
    typed = {name: visit.field(name) for name in _FIELDS}
    typed["amount"] = amount(visit, "amount")
    typed["models"] = ",".join(visit.fields("model"))
    try:
        done = await _ACTS[act](office_of(visit), names, typed)
    except ValueError as error:
        token = await questions.keep(visit, question)
        return await _shown(visit, token, question, typed, said(visit, error))
    return visit.page(
        "staff/done.html",
        act=act,
        done=[one for one in done if one.sentence is None],
        refused=[(one.name, said(visit, one.sentence)) for one in done if one.sentence],
        sheet=[one.credentials for one in done if one.credentials],
        report=None,
    )


async def _shown(
    visit: Visit,
    token: str,
    question: Mapping[str, Any],
    typed: Mapping[str, str] = _NOTHING_TYPED,
    trouble: str | None = None,
) -> Response:
    models = [row["model"] for row in await office_of(visit).models() if row["enabled"]]
    return visit.page(
        "staff/ask.html", 400 if trouble else 200, act=question["act"], names=question["names"],
        token=token, said=typed, models=models, trouble=trouble,
    )  # fmt: skip


async def _chosen(visit: Visit) -> list[str]:
    if visit.field("everything"):
        asked = Asked.of({"q": visit.field("q"), "only": visit.field("only")})
        return await found_names(visit.site.store, asked)
    ids = set(visit.fields("account"))
    return [one.name for one in await office_of(visit).accounts() if str(one.id) in ids]
