"""A JupyterLab of its own and a Chromium that looks at it."""

import json
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import Browser, Locator, Page, Request, Route, sync_playwright
from proxies import clean_environment
from tools import find

REPOSITORY = Path(__file__).parents[2]
WAIT_SECONDS = 60
FrontEnd = Literal["lab", "notebook"]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    # Otherwise cells outside the window are not in the DOM.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
KERNEL_IS_IDLE = """name => {
    const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.context?.path === name && panel.content.widgets.length > 0
        && panel.sessionContext?.session?.kernel?.status === 'idle';
}"""
RUN_CELL = """async (index) => {
    const app = window.jupyterapp;
    app.shell.currentWidget.content.activeCellIndex = index;
    await app.commands.execute('notebook:run-cell');
}"""
START_CELL = """(index) => {
    const app = window.jupyterapp;
    app.shell.currentWidget.content.activeCellIndex = index;
    app.commands.execute('notebook:run-cell');
}"""
RUN_COMMAND = (
    "async ([name, options]) => { await window.jupyterapp.commands.execute(name, options) }"
)


@dataclass(frozen=True)
class JupyterServer:
    """A running JupyterLab, its address with a slash at the end, and the folder it serves."""

    url: str
    token: str
    folder: Path


@contextmanager
def jupyter_lab(home: Path, environment: Mapping[str, str]) -> Iterator[JupyterServer]:
    """JupyterLab over ``home/notebooks``; it reads and writes nothing outside ``home``.

    Notebook 7 is served beside it.
    """
    folder, token = home / "notebooks", secrets.token_hex(16)
    overrides = home / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True)
    overrides.write_text(json.dumps(SETTINGS))
    folder.mkdir()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    options = [
        *("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"),
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.port_retries=0",
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    with (home / "jupyter.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=clean_environment(**_own_folders(home), **environment),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = JupyterServer(f"http://127.0.0.1:{port}/", token, folder)
        try:
            _wait_until_ready(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT_SECONDS)


def _own_folders(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "share"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        # The picture in a notebook is the one a student sees, not the suite's bare canvas.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


def _wait_until_ready(server: JupyterServer, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        assert process.poll() is None, "JupyterLab ended before it was ready"
        try:
            url = f"{server.url}api/status?token={server.token}"
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.URLError:
            assert time.monotonic() < deadline, "JupyterLab was not ready in time"
            time.sleep(0.05)


@contextmanager
def chromium() -> Iterator[Browser]:
    with TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find("chromium", "chromium-browser"),
            args=CHROMIUM_ARGUMENTS,
            # Else it writes into the folders of whoever runs the tests.
            env=clean_environment(HOME=home, XDG_CONFIG_HOME=home),
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class NotebookPage:
    """An open notebook. What asked for another host was stopped, and is in ``foreign``."""

    page: Page
    server: JupyterServer
    name: str
    foreign: list[str] = field(default_factory=list)

    def run(self, index: int) -> Locator:
        """Run one cell to its end and give its output area."""
        self.page.evaluate(RUN_CELL, index)
        return self.output(index)

    def start(self, index: int) -> Locator:
        """Run one cell, without waiting, and give its output area."""
        self.page.evaluate(START_CELL, index)
        return self.output(index)

    def stop(self) -> None:
        """Press the stop button."""
        self.page.locator('[data-command="notebook:interrupt-kernel"]').first.click()

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")

    def output(self, index: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea")

    def command(self, name: str, **options: Any) -> None:
        self.page.evaluate(RUN_COMMAND, [name, options])

    def use_theme(self, theme: str) -> None:
        self.command("apputils:change-theme", theme=theme)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=theme)

    def saved(self) -> Any:
        """Save, and give what is now in the file."""
        self.command("docmanager:save")
        return nbformat.read(self.server.folder / self.name, as_version=4)

    def reload(self) -> None:
        self.page.reload()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        self.page.wait_for_function(KERNEL_IS_IDLE, arg=self.name)


@contextmanager
def open_notebook(
    browser: Browser, server: JupyterServer, name: str, front_end: FrontEnd = "lab"
) -> Iterator[NotebookPage]:
    """A fresh browser profile with a notebook and its idle kernel; dialogs fail the test."""
    with browser.new_context(viewport={"width": 1000, "height": 1400}) as context:
        context.set_default_timeout(WAIT_SECONDS * 1000)
        notebook = NotebookPage(context.new_page(), server, name)

        def stay_here(route: Route, request: Request) -> None:
            url = urlsplit(request.url)
            if url.scheme in ("http", "https") and url.hostname != "127.0.0.1":
                notebook.foreign.append(request.url)
                route.abort()
            else:
                route.continue_()

        context.route("**/*", stay_here)
        # In a workspace of its own, the notebooks of earlier tests are not opened beside it.
        places = {
            "lab": f"lab/workspaces/{Path(name).stem}/tree/{name}",
            "notebook": f"notebooks/{name}",
        }
        notebook.page.goto(f"{server.url}{places[front_end]}?token={server.token}")
        notebook.wait_until_idle()
        yield notebook


def write_notebook(folder: Path, name: str, *sources: str) -> None:
    """A notebook of code cells, not run."""
    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(notebook, folder / name)
