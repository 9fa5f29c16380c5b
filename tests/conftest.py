"""What every test starts from: folders of its own, no key in sight, and proxies that are real."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cells import bare_shell, connected, server, shell
from deaths import billing, clients, fleet, kind
from fake_openai import FakeOpenAI
from foreign import foreign
from postgres import fresh_database, postgres_url
from proxies import RunningProxy, running_proxy
from stores import place

__all__ = [
    "bare_shell", "billing", "clients", "connected", "fleet", "foreign", "fresh_database", "kind",
    "place", "postgres_url", "server", "shell",
]  # fmt: skip

os.environ["MPLBACKEND"] = "agg"

_OURS = ("SWSLLM_", "OPENAI_")


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing a test writes or reads lies in the folders of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWSLLM_LANGUAGE", "en")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "share"))
    monkeypatch.setenv("IPYTHONDIR", str(home / "ipython"))
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(home / f"jupyter-{name.lower()}"))
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    desk = sys.modules.get("swsllm_nb.notebook.desk")
    if desk is not None:
        # Its connections too: one that is collected later fails a test that it is not of.
        desk.desk_of_script().close()
        desk.desk_of_script.cache_clear()
    return home


@pytest.fixture(autouse=True, scope="session")
def one_font_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Matplotlib looks through all fonts once, not in every new home and every kernel."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MPLCONFIGDIR", str(run / "matplotlib"))
        yield


@pytest.fixture(scope="session")
def practice_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy process with the practice model; each test adds accounts of its own."""
    with running_proxy(tmp_path_factory.mktemp("practice")) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeOpenAI]:
    """A scripted upstream that keeps its own invoice."""
    with FakeOpenAI() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(upstream: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy process over the scripted upstream."""
    folder = tmp_path_factory.mktemp("proxy")
    with running_proxy(
        folder, upstream=upstream.base_url, SWSLLM_UPSTREAM_KEY="sk-upstream-secret"
    ) as running:
        yield running
        running.assert_adds_up()
