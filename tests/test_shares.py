"""What groups of calls cost, how many tokens they took, and what another model would cost."""

import pandas as pd
import pytest
from histories import NAN, amounts, booked, call, drawn, formulas, grant, ledger_of, log_of, words
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.pictures import (
    burn_down,
    cost_by,
    cost_by_frame,
    most_expensive,
    tokens,
    tokens_frame,
    what_if,
    what_if_frame,
)

COUNTS = {"prompt_tokens": 1000, "cached_tokens": 400, "completion_tokens": 200}


@pytest.fixture(autouse=True)
def closed_figures() -> object:
    yield
    plt.close("all")


def history() -> pd.DataFrame:
    return ledger_of(
        grant(0, 5.0),
        booked(1, 1.0, model="large", exercise="ex1", source="magic", **COUNTS),
        booked(2, 0.25, model="small", exercise="ex2", source="ask", **COUNTS),
        booked(3, 0.75, model="large", exercise="", source="", reasoning_tokens=150, **COUNTS),
        booked(4, 0.5, "unconfirmed", model="small", exercise="ex1", request_id="r"),
        call(5, -0.5, status="", kind="adjustment", model="small", exercise="ex1", request_id="r"),
        booked(6, 0.0, "", model="large", exercise="ex1"),
        booked(7, state="held", held_usd=0.1, model="small", exercise="ex1"),
    )


def bars(ax: Axes) -> list[float]:
    return [bar.get_width() for bar in ax.patches]


def names(ax: Axes) -> list[str]:
    return [label.get_text() for label in drawn(ax).get_yticklabels()]


def test_the_dearest_model_comes_first_and_credits_are_taken_off() -> None:
    ax = cost_by(history())
    assert names(ax) == ["large", "small"]
    assert bars(ax) == [1.75, 0.25]
    assert ax.get_title("left") == "$2.00 spent"
    assert "88 % on large" in words(ax)
    assert "$1.75 · 3 calls" in words(ax)


def test_calls_that_name_no_exercise_are_a_group_as_well() -> None:
    ax = cost_by(history(), by="exercise")
    assert names(ax) == ["ex1", "no exercise", "ex2"]
    assert "outside this machine's log" in names(cost_by(history(), by="source"))


def test_the_table_has_the_figures_of_the_picture() -> None:
    table = cost_by_frame(history(), by="exercise")
    assert list(table["exercise"]) == ["ex1", "", "ex2"]
    assert list(table["cost_usd"]) == [1.0, 0.75, 0.25]
    assert list(table["calls"]) == [4, 1, 1]
    assert table["share"].sum() == pytest.approx(1)


def test_unknown_costs_are_counted_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    log = log_of(call(0, 1.0, model="m"), call(1, NAN, model="m"), call(2, NAN, status="refused"))
    assert "1 of unknown cost" in words(cost_by(log))
    assert "1 of them have an unknown cost" in capsys.readouterr().out
    assert list(cost_by_frame(log)["unknown_cost"]) == [1, 0]


def test_more_than_ten_groups_end_with_one_of_the_others() -> None:
    calls = (call(n, 0.1 * (n + 1), model=f"m{n}") for n in range(15))
    ax = cost_by(log_of(*calls))
    assert len(names(ax)) == 11
    assert names(ax)[-1] == "5 others"
    assert sum(bars(ax)) == pytest.approx(12.0)
    assert len(cost_by_frame(log_of(*(call(n, 0.1, model=f"m{n}") for n in range(15))))) == 15


def test_tokens_are_told_apart_and_none_is_counted_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tokens_frame(history()).set_index("model")
    assert list(table.loc["large", ["fresh_prompt_tokens", "cached_tokens"]]) == [1200, 800]
    assert list(table.loc["large", ["answer_tokens", "reasoning_tokens"]]) == [250, 150]
    assert table.loc["large", "tokens"] == 2400
    assert list(table["calls_without_counts"]) == [0, 2]
    ax = tokens(history())
    assert sum(bars(ax)) == 3600
    assert ax.get_title("left") == "3000 tokens in, 600 out"
    assert "2 without counts" in capsys.readouterr().out


def test_the_same_work_on_another_model_is_its_tokens_at_that_models_prices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = what_if_frame(history(), model="gpt-4o").set_index("model")
    # 1000 in and 200 out at $2.50 and $10.00 per million; no price for cached ones is known.
    each = (1000 * 2_500_000 + 200 * 10_000_000) / PICO_PER_USD
    assert list(table["what_if_usd"]) == [pytest.approx(2 * each), pytest.approx(each)]
    assert list(table["paid_usd"]) == [1.75, -0.25]
    ax = what_if(history(), model="gpt-4o")
    assert ax.get_title("left") == "$0.0135 on gpt-4o instead of $1.50"
    said = capsys.readouterr().out
    assert "2 not in it: tokens or cost unknown" in said
    assert "another model may need more or fewer" in said


def test_a_model_without_a_known_price_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(LLMError, match=r"Nobody knows what gpt-99 costs; .*gpt-4o-mini"):
        what_if(history(), model="gpt-99")


def test_the_most_expensive_calls_come_first_and_grants_are_none() -> None:
    table = most_expensive(2, history())
    assert list(table["cost_usd"]) == [1.0, 0.75]
    assert list(table["exercise"]) == ["ex1", ""]
    assert len(most_expensive(n=50, frame=history())) == 5
    with pytest.raises(LLMError, match="n is a whole number from 1 on"):
        most_expensive(0, history())


@pytest.mark.parametrize("draw", [cost_by, tokens, lambda frame: what_if(frame, model="gpt-4o")])
def test_an_empty_history_is_a_picture(draw: object) -> None:
    assert callable(draw)
    drawn(draw(log_of()))
    drawn(draw(ledger_of(grant(0, 5.0))))


def test_every_picture_takes_texts_literally_and_draws_where_it_is_told() -> None:
    frame = history().assign(model="$a$", exercise="$b$")
    for draw in (cost_by, tokens, burn_down):
        _, ax = plt.subplots()
        drawn_on = draw(frame, by="exercise", ax=ax)
        assert drawn_on is ax
        assert formulas(ax) == []
    assert formulas(what_if(frame, model="gpt-4o")) == []
    assert amounts(burn_down(frame, by="model"))[0] == 5.0


def test_what_cannot_be_grouped_by_is_refused() -> None:
    with pytest.raises(ValueError, match="by model, exercise, source, and not by 'day'"):
        cost_by(history(), by="day")
    with pytest.raises(ValueError, match="no column exercise"):
        tokens(history().drop(columns="exercise"), by="exercise")


def test_german_pictures_are_german(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    assert cost_by(history()).get_title("left") == "$2.00 ausgegeben"
    assert tokens(history()).get_title("left") == "3000 Tokens hin, 600 zurück"
    assert "bezahlt" in names(what_if(history(), model="gpt-4o"))
