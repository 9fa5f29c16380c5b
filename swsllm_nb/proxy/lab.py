"""``swsllm lab``: a proxy and a JupyterLab that is given its address and key."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from swsllm_nb.proxy.audit import LAB
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.serve import StopSignals, base_url, bind, proxy_server
from swsllm_nb.proxy.settings import Settings
from swsllm_nb.proxy.store import Store, database_at

__all__ = ["Lab", "kernel_environment", "notebook_folder"]

LAB_BUDGET_USD = "5.00"

_START = Path("student/00_start_here.ipynb")
_PACKAGED = Path(__file__).parents[1] / "_notebooks"
_STOP_SECONDS = 10


@dataclass(frozen=True)
class Lab:
    """A JupyterLab over ``notebooks``; ``jupyter_port`` None means any free one."""

    notebooks: Path
    jupyter_port: int | None = None
    browser: bool = True

    async def run(self, settings: Settings, announce: Callable[[str], None]) -> int:
        """Run until Ctrl-C or until JupyterLab ends; gives JupyterLab's exit code."""
        if find_spec("jupyterlab") is None:
            raise ModuleNotFoundError(name="jupyterlab")
        signals = StopSignals()
        listening = bind(settings.host, settings.port)
        address = base_url(settings, listening)
        async with Store(database_at(settings.folder, None)) as store:
            name = f"lab-{datetime.now().astimezone():%Y%m%d-%H%M%S}-{os.getpid()}"
            office = Office(store, settings.secret, LAB)
            made = await office.add_account(name, LAB_BUDGET_USD)
            async with proxy_server(
                settings, store, listening, grace_seconds=_STOP_SECONDS
            ) as server:
                signals.watch(server)
                serving = asyncio.create_task(server.run())
                announce(f"Proxy with a practice model: {address}")
                announce(f"Account {name}: ${LAB_BUDGET_USD}, made for this run. Ctrl-C stops it.")
                environment = kernel_environment(os.environ, address, made.key)
                async with self._jupyter(environment) as process:
                    ended = asyncio.create_task(process.wait())
                    await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
                    stopped_by_us = not ended.done()
                server.stop()
                await serving
        return 0 if stopped_by_us else await ended

    @asynccontextmanager
    async def _jupyter(
        self, environment: Mapping[str, str]
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        # In a session of its own, Ctrl-C reaches only us: JupyterLab would ask whether it is meant.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jupyterlab", *self._options(), env=environment,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            await _end(process)

    def _options(self) -> list[str]:
        options = [f"--ServerApp.root_dir={self.notebooks.resolve()}"]
        if (self.notebooks / _START).exists():
            options.append(f"--LabApp.default_url=/lab/tree/{_START.as_posix()}")
        if self.jupyter_port is not None:
            options += [f"--ServerApp.port={self.jupyter_port}", "--ServerApp.port_retries=0"]
        if not self.browser:
            options.append("--no-browser")
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--allow-root")
        return options


def kernel_environment(environ: Mapping[str, str], base_url: str, key: str) -> dict[str, str]:
    """The environment of JupyterLab and its kernels, without any secret but the course key."""
    ours = ("SWSLLM_", "OPENAI_")
    kept = {name: value for name, value in environ.items() if not name.startswith(ours)}
    # A university's HTTP proxy can neither reach this machine's loopback nor should see the key.
    direct = {
        name: ",".join(filter(None, (environ.get(name), "127.0.0.1,localhost")))
        for name in ("NO_PROXY", "no_proxy")
    }
    return kept | direct | {"SWSLLM_BASE_URL": base_url, "SWSLLM_API_KEY": key}


def notebook_folder(told: Path | None) -> Path:
    """Where told, else ./notebooks, else a copy of the packaged ones in ./swsllm-notebooks."""
    if told is not None:
        return told
    here = Path("notebooks")
    if (here / _START).exists():
        return here
    copied = Path("swsllm-notebooks")
    if not copied.exists():
        shutil.copytree(_PACKAGED, copied)
    return copied


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask JupyterLab to shut its kernels down; after 10 s end it and all it started."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        await process.wait()
