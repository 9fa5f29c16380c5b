"""What staff see of the catalogue's rows, and how they change one."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from swsllm_nb.catalogue import Row, checked_rows

__all__ = [
    "LONG_FIELDS",
    "PRICE_FIELDS",
    "ROW_FIELDS",
    "changed_row",
    "check_seen",
    "listed_models",
    "new_row",
    "replaced_default",
    "row_named",
    "row_texts",
]

ROW_FIELDS: Final[tuple[str, ...]] = (
    "aliases", "default", "enabled", "context_tokens", "max_output_tokens", "cap_field",
    "default_cap_tokens", "floor_cap_tokens", "encoding", "extra_fields", "unsupported",
    "shutdown_date", "successor", "serve_by_successor", "upstream_model", "upstreams",
)  # fmt: skip
"""What can be changed of a row itself."""

PRICE_FIELDS: Final[tuple[str, ...]] = (
    "input_usd", "cached_input_usd", "cache_write_usd", "output_usd", "long_prompts", "multiplier",
    "source", "valid_from",
)  # fmt: skip
"""What can be stated of a price; the rest is as before."""

LONG_FIELDS: Final[Mapping[str, str]] = {
    "long_above_tokens": "above_tokens",
    "long_input_usd": "input_usd",
    "long_cached_input_usd": "cached_input_usd",
    "long_cache_write_usd": "cache_write_usd",
    "long_output_usd": "output_usd",
}
"""Parts of ``long_prompts``, each stated by itself; without the first there is none of them."""

_BLANK: Final[Row] = {
    "context_tokens": None,
    "max_output_tokens": None,
    "cap_field": "max_completion_tokens",
    "default_cap_tokens": 4096,
    "floor_cap_tokens": 256,
    "encoding": "o200k_base",
    "extra_fields": [],
    "unsupported": {},
}
_NEW: Final[Row] = {
    "aliases": [],
    "default": False,
    "enabled": False,
    "prices": [],
    "shutdown_date": None,
    "successor": None,
}
_ID_CHARACTERS = 100
_DEFAULT_SOURCE = "stated by the teaching staff"


def changed_row(rows: Mapping[str, Row], name: str, *, today: date, **changes: Any) -> Row:
    """The row of a model with some of ROW_, PRICE_ and LONG_FIELDS changed; nothing is stored.

    ``rows`` are all rows as they stand. What concerns the price becomes a version of its own, from
    ``valid_from`` on, or from today: what held before is kept. Raises ValueError with a sentence
    where no such model is, or where the row could not be served as it would be.
    """
    row = row_named(rows, name)
    for field in changes:
        if field not in (*ROW_FIELDS, *PRICE_FIELDS, *LONG_FIELDS):
            raise ValueError(f"A model has no {field!r} that can be changed.")
    changed = {**row, **{field: changes[field] for field in ROW_FIELDS if field in changes}}
    price = {field: changes[field] for field in PRICE_FIELDS if field in changes}
    long = {name: changes[field] for field, name in LONG_FIELDS.items() if field in changes}
    if price or long:
        changed["prices"] = _priced_anew(row, price, long, today)
    checked_rows({**rows, row["id"]: changed})
    return changed


def new_row(rows: Mapping[str, Row], model_id: str, like: str | None) -> Row:
    """The row of a model that is not there yet, switched off and without a price.

    Limits and rules are those of another one. Raises ValueError where the name is taken.
    """
    if not model_id.isprintable() or not model_id.strip() or len(model_id) > _ID_CHARACTERS:
        raise ValueError(f"{model_id[:_ID_CHARACTERS]!r} cannot be the id of a model.")
    for row in rows.values():
        if model_id == row["id"] or model_id in row["aliases"]:
            raise ValueError(f"There is a model {model_id!r} already; change that one.")
    rules = _BLANK if like is None else row_named(rows, like)
    return {**{field: rules.get(field) for field in _BLANK}, **_NEW, "id": model_id}


def replaced_default(rows: Mapping[str, Row], name: str) -> Row | None:
    """The row that is the default, no longer so; None where there is none or it is ``name``'s."""
    named = row_named(rows, name)
    for row in rows.values():
        if row["enabled"] and row["default"] and row is not named:
            return {**row, "default": False}
    return None


def listed_models(rows: Mapping[str, Row], today: date) -> list[dict[str, Any]]:
    """Every row, also those switched off, with the price that holds today or will hold first."""
    return [_listed(row, today) for row in rows.values()]


def row_named(rows: Mapping[str, Row], name: str) -> Row:
    """The row of a model's id or alias. Raises ValueError with a sentence."""
    for row in rows.values():
        if name == row["id"] or name in row["aliases"]:
            return row
    raise ValueError(f"There is no model {name[:100]!r}. Known: {', '.join(rows)}.")


def row_texts(row: Row, today: date) -> dict[str, str]:
    """A row as the fields of a form: its price of today, and a mark of all its ``prices``."""
    listed = _listed(row, today)
    long = listed["long_prompts"] or {}
    told = {field: _as_text(listed[field]) for field in (*ROW_FIELDS, *PRICE_FIELDS)}
    told |= {field: _as_text(long.get(name)) for field, name in LONG_FIELDS.items()}
    prices = json.dumps(row["prices"], sort_keys=True).encode()
    return {**told, "prices": hashlib.sha256(prices).hexdigest()[:16]}


def check_seen(seen: Mapping[str, str], now: Mapping[str, str], wanted: Mapping[str, Any]) -> None:
    """Raises ValueError where what is to be changed was ``seen`` as something else than it is.

    What is as it is ``wanted`` already takes nothing from anybody.
    """
    others = [
        field
        for field, text in seen.items()
        if now[field] not in (text, _as_text(wanted.get(field)))
    ]
    if others:
        told = ", ".join(
            field if field == "prices" else f"{field} ({now[field][:100] or '–'})"
            for field in others
        )
        raise ValueError(
            f"A colleague changed the same while you did: {told}. Nothing was saved. Look at what "
            "holds now; if yours is right, save it once more."
        )


def _as_text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(value)
    if isinstance(value, bool):
        return "1" if value else ""
    return "" if value is None else str(value)


def _priced_anew(
    row: Row, price: Mapping[str, Any], long: Mapping[str, Any], today: date
) -> list[Any]:
    valid_from = price.get("valid_from") or today.isoformat()
    # Days written like this compare as texts; any other spelling is refused when it is checked.
    if str(valid_from) < today.isoformat():
        raise ValueError(
            f"A price cannot hold from {valid_from}: calls before today keep what they cost. "
            f"State {today} or a later day."
        )
    before = _version_on(row, str(valid_from)) or {}
    version = {**before, "source": _DEFAULT_SOURCE, **price, "valid_from": valid_from}
    if long:
        parts = {**(version.get("long_prompts") or {}), **long}
        stated = {name: value for name, value in parts.items() if value is not None}
        version["long_prompts"] = stated if "above_tokens" in stated else None
    kept = [known for known in row["prices"] if known["valid_from"] != valid_from]
    return [*kept, {name: value for name, value in version.items() if value is not None}]


def _version_on(row: Row, day: str) -> Mapping[str, Any] | None:
    """The price of a day, or the first to come where none holds yet."""
    versions = sorted(row["prices"], key=lambda version: str(version["valid_from"]))
    held = [version for version in versions if version["valid_from"] <= day]
    return held[-1] if held else next(iter(versions), None)


def _listed(row: Row, today: date) -> dict[str, Any]:
    price = _version_on(row, today.isoformat()) or {}
    return {
        "model": row["id"],
        **{field: row.get(field) for field in ROW_FIELDS},
        "serve_by_successor": row.get("serve_by_successor", False),
        "upstream_model": row.get("upstream_model") or row["id"],
        "upstreams": row.get("upstreams", []),
        **{field: price.get(field) for field in PRICE_FIELDS},
    }
