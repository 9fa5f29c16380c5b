"""In front of a server that nobody here wrote: LiteLLM's proxy, as PyPI has it.

It tells other token counts for a stream than for a plain answer, and its last chunk carries the
usage beside a choice.
"""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from foreign import ANSWER, MINI, UPSTREAM_KEY
from openai import OpenAI
from proxies import RunningProxy, running_proxy
from stores import account_named

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.pricing import cost
from swsllm_nb.wire import Usage

HI: list[Any] = [{"role": "user", "content": "Who are you?"}]


@pytest.fixture(scope="module")
def proxy(foreign: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    folder = tmp_path_factory.mktemp("before-litellm")
    with running_proxy(folder, upstream=foreign, SWSLLM_UPSTREAM_KEY=UPSTREAM_KEY) as running:
        yield running
        running.assert_adds_up()


def client(proxy: RunningProxy, name: str) -> OpenAI:
    key = proxy.add_account(name).key
    return OpenAI(base_url=proxy.base_url, api_key=key, max_retries=0)


def assert_settled(proxy: RunningProxy, name: str, told: Any) -> None:
    """The one call costs exactly the usage that its answer told."""
    (row,) = proxy.calls(name)
    used = Usage(prompt_tokens=told.prompt_tokens, completion_tokens=told.completion_tokens)
    charged = cost(default_catalogue().default.prices, used)
    assert (row["state"], row["amount_pico"]) == ("settled", charged)
    assert 0 < charged <= row["hold_pico"]
    account = proxy.ask(lambda store: account_named(store, name))
    assert (account.spend_pico, account.reserved_pico) == (charged, 0)


def test_a_plain_answer_costs_exactly_what_it_says_it_used(proxy: RunningProxy) -> None:
    with client(proxy, "plain") as asking:
        answer = asking.chat.completions.create(model=MINI, messages=HI)
    assert answer.choices[0].message.content == ANSWER
    assert_settled(proxy, "plain", answer.usage)


def test_a_stream_costs_exactly_what_it_says_it_used(proxy: RunningProxy) -> None:
    with client(proxy, "stream") as asking:
        chunks = list(
            asking.chat.completions.create(
                model=MINI, messages=HI, stream=True, stream_options={"include_usage": True}
            )
        )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == ANSWER
    (told,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert_settled(proxy, "stream", told)


def test_a_stream_is_settled_where_nobody_asked_for_its_usage_too(proxy: RunningProxy) -> None:
    with client(proxy, "quiet") as asking:
        chunks = list(asking.chat.completions.create(model=MINI, messages=HI, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == ANSWER
    (row,) = proxy.calls("quiet")
    assert (row["state"], row["completion_tokens"] > 0) == ("settled", True)


def test_an_unknown_model_is_refused_before_it_is_asked_for(proxy: RunningProxy) -> None:
    with client(proxy, "unknown") as asking, pytest.raises(openai.NotFoundError, match=MINI):
        asking.chat.completions.create(model="gpt-9", messages=HI)
    assert proxy.calls("unknown") == []


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("gpt-4o-2024-11-20", openai.RateLimitError),
        ("o3-mini-2025-01-31", openai.InternalServerError),
    ],
)
def test_its_errors_are_mapped_and_cost_nothing(
    proxy: RunningProxy, model: str, kind: type[openai.APIStatusError]
) -> None:
    with client(proxy, model) as asking, pytest.raises(kind) as raised:
        asking.chat.completions.create(model=model, messages=HI)
    (row,) = proxy.calls(model)
    assert (row["state"], row["amount_pico"]) == ("released", 0)
    assert raised.value.request_id == row["request_id"]
