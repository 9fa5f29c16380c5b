"""A form that is shown once more says what was typed under the labels that people saw."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps import Course
from argon2 import PasswordHasher
from stores import execute
from visitors import CHOSEN, Visitor, teacher, visiting

import swsllm_nb
from swsllm_nb.proxy import auth
from swsllm_nb.proxy.page import labels
from swsllm_nb.proxy.page.words import german

TEMPLATES = Path(swsllm_nb.__file__).parent / "proxy" / "page" / "templates"
FORM = re.compile(r"{% call form\((.*?)\) %}(.*?){% endcall %}", re.DOTALL)
NAMED = re.compile(r"""(?:\bname=|\b(?:field|select|tick)\()"(\w+)\"""")
NOT_SENT_BACK = {"token", "back", "kept", "replaces"}


def names_in_forms() -> Iterator[str]:
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text("utf-8")
        for _, inside in FORM.findall(text):
            if "password" not in inside and "file" not in inside:
                yield from NAMED.findall(inside)
    yield from NAMED.findall((TEMPLATES / "staff" / "act_buttons.html").read_text("utf-8"))


def test_every_field_of_a_form_that_can_come_back_has_its_label_in_both_languages() -> None:
    names = set(names_in_forms()) - NOT_SENT_BACK
    assert len(names) > 30
    assert sorted(names - labels._LABELS.keys()) == []
    said = {*labels._LABELS.values(), *labels._ELSEWHERE.values(), *labels._CHOICES.values()}
    assert sorted(said - german().keys()) == ["Deutsch", "English"]


FORMS = (
    (
        "/staff/course",
        {"name": "Yes", "was.name": "", "contact": "x", "was.contact": "x", "cap_usd": "6",
         "which_models": "these", "model": "gpt-4o-2024-11-20", "language": "de"},
        [("Name des Kurses", "Yes"),
         ("So viel dürfen alle zusammen höchstens ausgeben, in Dollar", "6"),
         ("Modelle", "nur diese:"), ("Modell", "gpt-4o-2024-11-20"),
         ("Sprache der Seite", "Deutsch")],
    ),
    (
        "/staff/act",
        {"q": "a&b", "only": "used up", "account": "7", "act": "reset_passwords"},
        [("Gewählte Accounts", "1"), ("Name oder E-Mail", "a&b"), ("Status", "aufgebraucht"),
         ("Handlung", "Passwörter zurücksetzen")],
    ),
    (
        "/staff/act/answer",
        {"token": "secret", "no_begin": "1", "per_minute": "5", "amount": ""},
        [("kein erster Tag", "ja"), ("Anfragen pro Minute", "5")],
    ),
    (
        "/staff/models/row",
        {"model": "m", "was.default": "1", "source": "", "was.source": "x", "was.enabled": ""},
        [("Modell", "m"), ("Woher der Preis stammt", "–"),
         ("Verwenden, wo kein Modell genannt ist", "nein")],
    ),
)  # fmt: skip


def test_a_form_of_an_ended_session_comes_back_as_it_was_seen_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=512, parallelism=1)
    monkeypatch.setattr(auth, "_FOR_CHOSEN", cheap)

    async def act(served: Course) -> None:
        staff = Visitor(served, **{"accept-language": "de"})
        await staff.settle_in("lehr", await teacher(served), "/staff")
        for path, typed, shown in FORMS:
            await staff.get("/staff")
            await execute(served.store, "DELETE FROM sessions")
            await staff.send(path, **typed)
            kept = re.search(r'name="kept" value="([^"]*)"', staff.page)
            assert kept is not None
            fields = {"password": CHOSEN, "kept": html.unescape(kept[1])}
            answer = await staff.send("/staff/sign-in", name="lehr", **fields)
            pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", answer.text)
            assert [(html.unescape(a), html.unescape(b)) for a, b in pairs] == shown
            sent = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', answer.text)
            assert typed.items() <= {name: html.unescape(value) for name, value in sent}.items()

    visiting(tmp_path, act)
