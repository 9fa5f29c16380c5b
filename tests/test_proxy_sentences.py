"""Our proxy's English sentences in German: each one that it can say, with every number in it."""

import ast
import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import swsllm_nb
from swsllm_nb.catalogue import default_catalogue, packaged_rows
from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.notebook.errors import Trouble, explain
from swsllm_nb.notebook.proxy_sentences import known_sentence, known_sentences
from swsllm_nb.pricing import Bound
from swsllm_nb.proxy import pace, refusals, refusing, rules
from swsllm_nb.proxy.errors import ProxyError
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.refusing import Room

MINI = "gpt-4o-mini-2024-07-18"
O3 = "o3-mini-2025-01-31"
MODEL = default_catalogue().find(MINI)
assert MODEL is not None


def intent(floor_cap_tokens: int) -> Any:
    return SimpleNamespace(model=MODEL, bound=Bound(10**9, 10**7, 4096, floor_cap_tokens))


def room(limit_usd: int, spend_pico: int = 0, reserved_pico: int = 0) -> Room:
    return Room("Your budget", limit_usd * PICO_PER_USD, spend_pico, reserved_pico)


def course(spend_pico: int, reserved_pico: int = 0) -> Room:
    return Room.of_course(900 * PICO_PER_USD, spend_pico, reserved_pico)


def standing(**known: Any) -> Any:
    usual = {
        "owner_lives": True, "revoked_at": None, "enabled": 1, "valid_from": None,
        "valid_until": None, "now": "2026-11-23", "allowed_models": None,
        "in_flight": 8, "in_flight_limit": 8,
    }  # fmt: skip
    return SimpleNamespace(**usual | known)


def raised(refuse: Callable[[], Any]) -> str:
    with pytest.raises(ProxyError) as refusal:
        refuse()
    return refusal.value.message


def raised_by_rules(model: str, **fields: Any) -> str:
    row = default_catalogue().find(model)
    assert row is not None
    return raised(lambda: rules.check_rules(row, {"model": model, **fields}))


async def successor_switched_on() -> dict[str, Any]:
    limits = {"context_tokens": 200_000, "max_output_tokens": 100_000}
    row = {**packaged_rows()["gpt-6-luna"], "upstream_model": "gpt-6-luna-2026-09-01", **limits}
    return {"gpt-6-luna": {**row, "enabled": True}}


def budget_sentences() -> Iterator[str]:
    nearly_gone = 5 * PICO_PER_USD - 3 * 10**9
    yield raised(lambda: refusing.check_unspent([room(5, nearly_gone)], intent(4096)))
    yield raised(lambda: refusing.check_unspent([room(5, 5 * PICO_PER_USD)], intent(4096)))
    yield raised(
        lambda: refusing.check_unspent([course(900 * PICO_PER_USD - 3 * 10**9)], intent(4096))
    )
    yield raised(lambda: refusing.check_unspent([course(900 * PICO_PER_USD)], intent(4096)))
    yield refusing.reserved([room(5, nearly_gone, 10**9)], intent(4096)).message
    yield refusing.reserved([course(0, 900 * PICO_PER_USD)], intent(4096)).message


def account_sentences() -> Iterator[str]:
    for known in (
        {"owner_lives": False},
        {"enabled": 0},
        {"valid_from": "2026-12-01"},
        {"valid_until": "2026-11-01"},
        {"allowed_models": '["gpt-4o-2024-11-20"]'},
    ):
        yield raised(lambda known=known: refusing.check_admitted(standing(**known), MINI))
    yield raised(lambda: refusing.check_calls_at_once(standing()))
    yield raised(lambda: pace.next_call(60_000_000, 0, 30))


def model_sentences() -> Iterator[str]:
    offer = Offer(ages=True, today=lambda: date(2027, 2, 1))
    yield raised(lambda: offer.model("gpt-5"))
    for name in (MINI, "gpt-4o", O3):
        yield raised(lambda name=name: offer.model(name))
    asyncio.run(offer.refresh(successor_switched_on))
    yield raised(lambda: offer.model(MINI))


def upstream_sentences() -> Iterator[str]:
    own_error = b'{"error": {"message": "No.", "type": "server_error"}}'
    for status, body in ((502, b""), (401, own_error), (429, own_error), (500, own_error)):
        yield refusals.refusal_of(status, body).message


def rule_sentences() -> Iterator[str]:
    yield raised_by_rules(O3, temperature=1)
    yield raised_by_rules(O3, max_tokens=5)
    yield raised_by_rules(MINI, max_tokens=99_999)
    yield raised_by_rules(MINI, temperature=3.5)


SAID = [
    *budget_sentences(),
    *account_sentences(),
    *model_sentences(),
    *upstream_sentences(),
    *rule_sentences(),
]


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\$?\d[\d.,-]*\d|\d", text))


@pytest.mark.parametrize("message", SAID)
def test_what_the_proxy_says_is_said_in_german_with_every_number(message: str) -> None:
    known = known_sentence(message)
    assert known is not None
    assert numbers(known.german) == numbers(message)
    assert "{" not in known.german


@cache
def texts_of_the_proxy() -> set[str]:
    """Every text in its source, with what is filled in left out."""
    files = sorted((Path(swsllm_nb.__file__).parent / "proxy").glob("*.py"))
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8"))))
    texts = set()
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "*" for part in node.values)
            texts.add("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
    return texts


def test_every_sentence_is_one_that_the_proxy_or_openai_says() -> None:
    openai = ("You exceeded your current quota", "However, your messages", "whereas you provided")
    for pattern, _ in known_sentences():
        template = re.sub(r"\(\?P<\w+>\.\+\?\)", "*", pattern.pattern).replace("\\", "")
        said = any(pattern.fullmatch(message) for message in SAID)
        in_source = template in texts_of_the_proxy()
        assert said or in_source or any(part in template for part in openai), template


def test_in_german_what_says_it_all_stands_alone_and_the_rest_is_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    no_money, *_ = SAID
    failure = explain(Trouble("insufficient_quota", 429, no_money, "http://h/v1"))
    assert str(failure).startswith("Das Budget reicht für diesen Aufruf nicht: $")
    refused = explain(Trouble("unsupported_parameter", 400, raised_by_rules(O3, temperature=1)))
    assert str(refused) == (
        "Der Server hat den Aufruf abgelehnt (400). Der Server sagt: Dieses Modell kennt "
        "'temperature' nicht."
    )
    unknown = explain(Trouble("odd", 400, "Something else is wrong: 17."))
    assert str(unknown).endswith("Der Server sagt: Something else is wrong: 17.")


def test_in_english_the_proxys_own_sentence_stands_as_it_was_said() -> None:
    no_money, *_ = SAID
    assert str(explain(Trouble("insufficient_quota", 429, no_money))) == no_money
