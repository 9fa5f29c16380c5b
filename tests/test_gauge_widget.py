"""The budget as a widget: in this process, and in a real kernel on the real proxy."""

import queue
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cells import Outputs, running_kernel
from proxies import RunningProxy

import swsllm_nb
from swsllm_nb.notebook.gauge import Budget, Listener
from swsllm_nb.notebook.gauge_widget import BudgetWidget

SECONDS = 60


class Source:
    """Stands for a feed: ``listener`` is who follows now."""

    def __init__(self) -> None:
        self.listener: Listener | None = None

    def follow(self, listener: Listener) -> Any:
        self.listener = listener
        return self.stop

    def stop(self) -> None:
        self.listener = None


def budget(spent_pico: int = 0, **fields: Any) -> Budget:
    return Budget(5 * 10**12, spent_pico, datetime.now(UTC), **fields)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def widget(source: Source) -> BudgetWidget:
    return budget(_follow=source.follow).widget()


def tell(source: Source, told: Budget | None) -> None:
    assert source.listener is not None
    source.listener(told)


def test_it_shows_what_it_is_told(widget: BudgetWidget, source: Source) -> None:
    assert "$5.00 of $5.00 left" in widget.value
    tell(source, budget(10**12))
    assert "$4.00 of $5.00 left" in widget.value


@pytest.mark.parametrize("lost", [None, budget(told_by="log")])
def test_a_lost_proxy_is_one_calm_sentence_beside_what_was_last_known(
    widget: BudgetWidget, source: Source, lost: Budget | None
) -> None:
    tell(source, budget(10**12))
    tell(source, lost)
    assert "$4.00 of $5.00 left" in widget.value
    assert "Not up to date: the proxy cannot be asked now." in widget.value
    tell(source, budget(2 * 10**12))
    assert "$3.00 of $5.00 left" in widget.value
    assert "Not up to date" not in widget.value


def test_a_closed_one_follows_no_more(widget: BudgetWidget, source: Source) -> None:
    widget.close()
    assert source.listener is None
    widget.close()


def test_where_no_widgets_run_it_reads_as_a_budget(widget: BudgetWidget, source: Source) -> None:
    tell(source, budget(10**12))
    bundle = widget._repr_mimebundle_()
    assert bundle["text/html"] == widget.value
    assert "left           $4.00" in bundle["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_several_in_one_script_show_the_same(
    practice_proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_BASE_URL", practice_proxy.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", practice_proxy.add_account("widgets", "0.50").key)
    widgets = [swsllm_nb.budget().widget() for _ in range(3)]
    swsllm_nb.ask("Hello")
    end = time.monotonic() + SECONDS
    while any("$0.50 of $0.50" in each.value for each in widgets):
        assert time.monotonic() < end, "it was not told in time"
        time.sleep(0.01)
    assert "$0.00 spent" not in widgets[0].value
    for each in widgets:
        each.close()


def value_told(client: Any, text: str) -> str:
    """The value that the kernel sends a widget's front end, with no cell running for it."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            message = client.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        if message["msg_type"] == "comm_msg":
            value = message["content"]["data"].get("state", {}).get("value", "")
            if text in value:
                return str(value)
    raise AssertionError("the widget was not told in time")


def test_in_a_kernel_it_changes_by_itself_after_another_cells_call(
    practice_proxy: RunningProxy, tmp_path: Path
) -> None:
    key = practice_proxy.add_account("dial", "0.50").key
    (tmp_path / ".env").write_text(
        f"SWSLLM_BASE_URL={practice_proxy.base_url}\nSWSLLM_API_KEY={key}\n"
    )
    with running_kernel(tmp_path) as (_, client):
        outputs = Outputs(client)
        shown = outputs.run("%load_ext swsllm_nb\nimport swsllm_nb\nswsllm_nb.budget().widget()")
        assert "application/vnd.jupyter.widget-view+json" in shown
        assert "$0.50 of $0.50 left" in shown
        assert key not in shown
        client.execute("%%llm --quiet\nHello")
        assert "of $0.50 left" in value_told(client, "$0.4")
