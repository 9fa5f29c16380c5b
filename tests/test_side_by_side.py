"""The answers of several models in one table."""

from typing import Any

import pytest
from IPython.utils.capture import capture_output
from test_markdown import Elements

from swsllm_nb.notebook import side_by_side
from swsllm_nb.notebook.side_by_side import Column, show_table
from swsllm_nb.wire import Usage

pytestmark = pytest.mark.usefixtures("shell")

SHORT = Column("mini", "**Yes** for $1.", 1.24, Usage(1312, 88), 99_600_000, "proxy")
LONG = Column("big", "No, $2.", 12.0, Usage(12, 6), None)
GONE = Column("o3", failure="The model <o3> was shut down (404).")
CUT = Column("cut", "Half an", failure="The connection broke.")


def bundle(*columns: Column) -> dict[str, Any]:
    with capture_output() as captured:
        show_table(columns)
    (output,) = captured.outputs
    data: dict[str, Any] = output._repr_mimebundle_()[0]
    return data


def test_each_model_has_a_column_with_its_answer_time_tokens_and_cost() -> None:
    html = bundle(SHORT, LONG)["text/html"]
    elements = Elements(html)
    assert elements.tags.count("table") == 1
    assert [elements.tags.count(tag) for tag in ("th", "tr", "td")] == [2, 5, 8]
    assert "<strong>Yes</strong>" in html
    for fact in ("1.2 s", "12.0 s", "1,312 in + 88 out", "$0.0001", "cost unknown"):
        assert f">{fact}</td>" in html


def test_its_dollars_stay_dollars_and_it_is_at_home_on_a_narrow_page() -> None:
    html = bundle(SHORT, LONG)["text/html"]
    assert html.startswith('<div class="swsllm mathjax_ignore tex2jax_ignore" style="overflow-x')


def test_a_failure_stands_where_the_answer_would_and_after_what_had_come() -> None:
    data = bundle(SHORT, GONE, CUT)
    assert "The model &lt;o3&gt; was shut down (404)." in data["text/html"]
    assert "<p>Half an</p>" in data["text/html"]
    assert data["text/plain"].split("\n\n")[1:] == [
        "o3\nThe model <o3> was shut down (404).",
        "cut\nHalf an\nThe connection broke.\ncost unknown",
    ]


def test_where_every_model_failed_there_are_no_empty_rows() -> None:
    assert Elements(bundle(GONE, GONE)["text/html"]).tags.count("tr") == 2


def test_nothing_of_a_hostile_column_is_live() -> None:
    attack = "<script>x</script><img src=x onerror=x>\x1b[2J"
    data = bundle(Column(attack, attack, failure=attack))
    assert not {"script", "img"} & set(Elements(data["text/html"]).tags)
    assert "\x1b" not in data["text/plain"] + data["text/html"]


def test_in_a_terminal_they_stand_below_one_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(side_by_side, "shows_html", lambda: False)
    show_table([SHORT, LONG])
    assert capsys.readouterr().out == (
        "mini\n**Yes** for $1.\n1.2 s · 1,312 in + 88 out · $0.0001\n\n"
        "big\nNo, $2.\n12.0 s · 12 in + 6 out · cost unknown\n"
    )
