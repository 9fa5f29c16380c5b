"""Each failure as one sentence, in both languages, with its number and what to do now."""

import re
from string import Formatter

import pytest

from swsllm_nb.notebook.errors import Trouble, explain
from swsllm_nb.notebook.sentences import SENTENCES

KEY = "sk-marked-0123456789abcdef"

NETWORK = ("no_server", "no_such_host", "web_proxy", "untrusted", "no_tls", "timeout", "cut")
OWN = (*NETWORK, "unreadable", "cut_short", "filtered", "here")

SERVERS = [
    (Trouble("invalid_api_key", 401, "Incorrect API key provided: sk-a***z."), "wrong_key"),
    (Trouble("", 402, "Payment required"), "no_money"),
    (Trouble("", 403, "Country not supported"), "not_allowed"),
    (Trouble("model_not_found", 404, "The model `x` does not exist"), "no_model"),
    (Trouble("", 404, "<html>"), "no_page"),
    (Trouble("", 400, "Bad"), "refused"),
    (Trouble("", 400), "refused_unsaid"),
    (Trouble("", 408, "Too slow"), "refused"),
    (Trouble("", 409), "refused_unsaid"),
    (Trouble("", 413, "Too large"), "refused"),
    (Trouble("", 422, "field required"), "refused"),
    (Trouble("unsupported_parameter", 400, "Unsupported parameter: 'x'."), "refused"),
    (Trouble("context_length_exceeded", 400, "128000 tokens"), "too_long"),
    (Trouble("insufficient_quota", 429, "You exceeded your current quota"), "no_money"),
    (Trouble("rate_limit_exceeded", 429, "Rate limit reached"), "too_fast"),
    (Trouble("slow_down", 429), "too_fast"),
    (Trouble("server_is_overloaded", 503), "overloaded"),
    (Trouble("proxy_unavailable", 503), "overloaded"),
    (Trouble("server_error", 500, "The server had an error"), "broken"),
    (Trouble("", 502, "<html>Bad gateway</html>"), "broken"),
    (Trouble("", 504), "broken"),
    (Trouble("server_error", None, "The server had an error"), "stopped_midway"),
    (Trouble("", None, "ValueError: x"), "other"),
]


def told(trouble: Trouble) -> str:
    return str(explain(trouble, KEY))


def english_or_german(monkeypatch: pytest.MonkeyPatch, trouble: Trouble, kind: str) -> None:
    for language, template in (("en", SENTENCES[kind].english), ("de", SENTENCES[kind].german)):
        monkeypatch.setenv("SWSLLM_LANGUAGE", language)
        beginning = template.partition("{")[0].partition(".")[0]
        assert told(trouble).startswith(beginning), told(trouble)


@pytest.mark.parametrize(("trouble", "kind"), SERVERS)
def test_what_a_server_says_is_of_a_kind(
    monkeypatch: pytest.MonkeyPatch, trouble: Trouble, kind: str
) -> None:
    english_or_german(monkeypatch, trouble, kind)
    if trouble.status:
        assert f"({trouble.status})" in told(trouble)


@pytest.mark.parametrize("kind", OWN)
def test_what_breaks_on_the_way_is_of_a_kind(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    english_or_german(monkeypatch, Trouble(kind, base_url="http://host/v1"), kind)


def test_each_sentence_is_one_that_something_leads_to() -> None:
    assert {kind for _, kind in SERVERS} | set(OWN) == SENTENCES.keys()


@pytest.mark.parametrize("kind", SENTENCES)
def test_both_languages_fill_in_the_same(kind: str) -> None:
    def fields(template: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(template) if name}

    sentence = SENTENCES[kind]
    assert fields(sentence.english) == fields(sentence.german)
    if sentence.waiting:
        assert fields(sentence.waiting[0]) == fields(sentence.waiting[1])
    assert not (sentence.final and sentence.waiting)


@pytest.mark.parametrize("kind", sorted(SENTENCES.keys() - {"unreadable", "no_page", "no_model"}))
def test_each_says_what_to_do_or_whom_to_ask(kind: str) -> None:
    says = SENTENCES[kind]
    done = r"teaching staff|run the cell again|Shorten|\{message\}"
    assert re.search(done, says.english), says.english
    assert re.search(r"Lehrpersonal|noch einmal|noch\s+einmal|kürzen|\{message\}", says.german)


def test_a_timeout_says_how_long_was_waited() -> None:
    assert "(180 s)" in told(Trouble("timeout", waited_seconds=180.0))


def test_a_rate_limit_says_how_long_to_wait() -> None:
    assert "Wait 21 seconds" in told(Trouble("", 429, retry_after_seconds=20.2))
    assert "Wait 10 seconds" in told(Trouble("", 429))


def test_the_models_address_and_message_are_scrubbed_in_both_languages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for language in ("en", "de"):
        monkeypatch.setenv("SWSLLM_LANGUAGE", language)
        for code in SENTENCES:
            trouble = Trouble(code, 400, f"No {KEY}", f"http://h/{KEY}", KEY)
            assert KEY not in told(trouble)


def test_what_a_server_says_does_not_steer_a_terminal() -> None:
    assert "\x1b" not in told(Trouble("", 400, "Bad \x1b[31m\x07 thing"))


def test_what_failed_on_this_machine_is_not_the_servers_saying() -> None:
    says = told(Trouble("here", message="TypeError: no"))
    assert "on this machine and not at the server (TypeError: no)" in says
    assert "says" not in says
