"""The models on offer: all rows with their prices over time; one is changed, added or retired."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from swsllm_nb.catalogue import Row, overlaid
from swsllm_nb.proxy.course import model_rows
from swsllm_nb.proxy.models import LONG_FIELDS, listed_models, row_named, row_texts
from swsllm_nb.proxy.offer import utc_today
from swsllm_nb.proxy.page.staff_desk import in_dollars, office_of, said
from swsllm_nb.proxy.page.staff_forms import changed_fields
from swsllm_nb.proxy.page.visit import Response, Visit

__all__ = ["add_page", "model_list", "retire", "row_page"]

_PRICE: Final = (
    "input_usd", "cached_input_usd", "cache_write_usd", "output_usd", "multiplier", "source",
    *LONG_FIELDS,
)  # fmt: skip
_COUNTS: Final = (
    "context_tokens", "max_output_tokens", "default_cap_tokens", "floor_cap_tokens",
    "long_above_tokens",
)  # fmt: skip
_LISTS: Final = ("aliases", "upstreams")
_FLAGS: Final = ("enabled", "default", "serve_by_successor")
_TEXTS: Final = ("cap_field", "encoding", "shutdown_date", "successor", "upstream_model")
_FIELDS: Final = (*dict.fromkeys((*_PRICE, *_COUNTS, *_LISTS, *_FLAGS, *_TEXTS)),)


async def model_list(visit: Visit) -> Response:
    today = utc_today()
    rows = listed_models(await _rows(visit), today)
    return visit.page("staff/models.html", models=rows, today=today)


async def row_page(visit: Visit) -> Response:
    """A model; what is changed in its form is changed, a price from its day on."""
    if visit.request.method != "POST":
        return await _form(visit, visit.query.get("model", ""), {})
    name, typed = visit.field("model"), changed_fields(visit, _FIELDS)
    if not typed:
        return visit.redirect(_address(name), visit.say("Nothing was changed."))
    # Any change of a price makes a version of all of it.
    seen = {"prices" if field in _PRICE else field for field in typed}
    if "prices" in seen and visit.field("valid_from"):
        typed["valid_from"] = visit.field("valid_from")
    try:
        was = {field: visit.field(f"was.{field}") for field in sorted(seen)}
        await office_of(visit).set_model(name, was, **_read(visit, typed))
    except ValueError as error:
        return await _form(visit, name, typed, said(visit, error))
    return visit.redirect(_address(name), visit.say("The model was changed."))


async def retire(visit: Visit) -> Response:
    name = visit.field("model")
    on, successor = visit.field("on") or None, visit.field("successor") or None
    try:
        await office_of(visit).retire_model(name, on=on, successor=successor)
    except ValueError as error:
        return await _form(visit, name, {}, said(visit, error))
    return visit.redirect(_address(name), visit.say("The model is retired from that day on."))


async def add_page(visit: Visit) -> Response:
    """A model that the catalogue does not have; switched on at once only where that is ticked."""
    if visit.request.method != "POST":
        return await _add_form(visit)
    model_id, typed = visit.field("model").strip(), changed_fields(visit, (*_PRICE, *_TEXTS))
    try:
        await office_of(visit).add_model(
            model_id,
            like=visit.field("like") or None,
            enabled=bool(visit.field("enabled")),
            **_read(visit, typed),
        )
    except ValueError as error:
        return await _add_form(visit, said(visit, error))
    return visit.redirect(_address(model_id), visit.say("The model was added."))


async def _rows(visit: Visit) -> Mapping[str, Row]:
    return overlaid(await visit.site.store.read(model_rows))


async def _form(
    visit: Visit, name: str, typed: Mapping[str, str], trouble: str | None = None
) -> Response:
    rows = await _rows(visit)
    try:
        row = row_named(rows, name)
    except ValueError as error:
        return visit.page("sorry.html", 404, sentence=said(visit, error))
    texts = row_texts(row, utc_today())
    was = {field: texts[field] for field in (*_FIELDS, "prices")}
    prices = sorted(row["prices"], key=lambda version: str(version["valid_from"]), reverse=True)
    return visit.page(
        "staff/model.html", 400 if trouble else 200, id=row["id"], was=was, model=was | dict(typed),
        prices=prices, others=[other for other in rows if other != row["id"]], trouble=trouble,
        today=utc_today(),
    )  # fmt: skip


async def _add_form(visit: Visit, trouble: str | None = None) -> Response:
    fields = ("model", "like", "enabled", *_PRICE, *_TEXTS)
    typed = {field: visit.field(field) for field in fields}
    names = list(await _rows(visit))
    return visit.page(
        "staff/model_add.html", 400 if trouble else 200, typed=typed, names=names, trouble=trouble
    )


def _address(name: str) -> str:
    return f"/staff/models/row?{urlencode({'model': name})}"


def _read(visit: Visit, typed: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a form as the catalogue writes them; an empty one is none."""
    read: dict[str, Any] = {}
    for field, text in typed.items():
        if field in _FLAGS:
            read[field] = bool(text)
        elif field in _LISTS:
            read[field] = [name for part in text.split(",") if (name := part.strip())]
        elif field in _COUNTS and text:
            read[field] = _count(text)
        elif field.endswith("_usd") or field == "multiplier":
            read[field] = in_dollars(visit, text) or None
        else:
            read[field] = text or None
    return read


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text[:40]!r} is no number of tokens. Write it such as 4096.")
    return int(text)
