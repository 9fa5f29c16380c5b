"""One JupyterLab and one Chromium for all tests that look at a page."""

from collections.abc import Iterator

import pytest
from browser.rig import JupyterServer, chromium, jupyter_lab
from playwright.sync_api import Browser
from proxies import RunningProxy
from tools import find


@pytest.fixture(scope="session")
def lab(
    practice_proxy: RunningProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JupyterServer]:
    """A JupyterLab whose kernels have an account with $5.00 at the practice proxy."""
    find("chromium", "chromium-browser")
    account = practice_proxy.add_account("browser")
    environment = {"SWSLLM_BASE_URL": practice_proxy.base_url, "SWSLLM_API_KEY": account.key}
    with jupyter_lab(tmp_path_factory.mktemp("lab"), environment) as server:
        yield server


@pytest.fixture(scope="module")
def browser(lab: JupyterServer) -> Iterator[Browser]:
    """Chromium, for one module at a time.

    While it is open its event loop runs in this thread, and ``asyncio.run`` is refused: so the
    lab, whose account is made with it, comes first, and no other module finds it open.
    """
    with chromium() as running:
        yield running
