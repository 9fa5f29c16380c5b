"""A real nginx in front of proxies, with the configuration that the package ships."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from certificates import own_certificate
from openai import DefaultHttpxClient, OpenAI
from proxies import PREFIX
from requests.adapters import HTTPAdapter
from tools import find

import swsllm_nb

SHIPPED = Path(swsllm_nb.__file__).parent / "deploy" / "nginx.conf"

# In the foreground, as one user, with nothing outside of its own folder.
AROUND = """
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/swsllm.conf;
}}
"""


class _From(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, source_address=(self.address, 0), **options)


@dataclass(frozen=True)
class RunningNginx:
    """Where it answers, and the certificate by which it does."""

    base_url: str
    certificate: Path

    @property
    def origin(self) -> str:
        return self.base_url.removesuffix(PREFIX)

    def client(self, key: str, **options: int) -> OpenAI:
        context = ssl.create_default_context(cafile=self.certificate)
        return OpenAI(
            base_url=self.base_url,
            api_key=key,
            http_client=DefaultHttpxClient(verify=context),
            **options,
        )

    def session(self, address: str = "127.0.0.1") -> requests.Session:
        """A browser at one of this machine's addresses."""
        session = requests.Session()
        session.mount("https://", _From(address))
        session.trust_env = False  # whose certificates would come first
        session.verify = str(self.certificate)
        return session


@contextmanager
def running_nginx(
    folder: Path, backends: Sequence[str], *changes: tuple[str, str], port: int | None = None
) -> Iterator[RunningNginx]:
    """nginx over TLS in front of servers, named by their URLs, on a port that is free.

    ``changes`` are made to the shipped configuration: what is there, and what is put in its place.
    """
    # Debian has it where only root looks.
    program = find("nginx", "/usr/sbin/nginx")
    folder = folder / "nginx"
    folder.mkdir()
    port = port or free_port()
    certificate = own_certificate(folder / "certificate.pem")
    servers = "".join(f"server {urlsplit(url).netloc}; " for url in backends)
    text = SHIPPED.read_text("utf-8")
    for there, instead in (
        ("server 127.0.0.1:8000;", servers),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/certs/llm.example.org.pem", str(certificate)),
        ("/etc/ssl/private/llm.example.org.key", str(certificate)),
        *changes,
    ):
        assert text.count(there) == 1, there
        text = text.replace(there, instead)
    (folder / "swsllm.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
    command = [program, "-e", folder / "error.log", "-c", folder / "nginx.conf"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait_until_listening(port, process)
            yield RunningNginx(f"https://127.0.0.1:{port}{PREFIX}", certificate)
        finally:
            process.terminate()
            process.wait(20)
    shutil.rmtree(folder)


def directive(name: str) -> str:
    """What the shipped configuration says for a directive."""
    (value,) = re.findall(rf"^\s*{name} (.*);", SHIPPED.read_text("utf-8"), re.MULTILINE)
    return str(value)


def free_port() -> int:
    """One for whom nginx's address has to be told before it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_listening(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 20
    while True:
        if process.poll() is not None:
            raise AssertionError(process.stderr and process.stderr.read())
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.02)
        else:
            return
