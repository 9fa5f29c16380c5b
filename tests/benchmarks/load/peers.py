"""What is compared: the upstreams, nginx, LiteLLM's proxy, ours, and ours without accounting."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from load.plain import Target
from load.processes import (
    LOAD_CORE,
    PROXY_CORE,
    Running,
    free_port,
    started,
    swsllm,
)

MODEL = "gpt-4o-mini"
BUDGET_USD = "100000"
LITELLM_KEY = "sk-benchmark"

ANSWER = json.dumps(
    {
        "id": "chatcmpl-benchmark0123456789abcdef",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "A token is a piece. " * 5},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 30,
            "total_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_benchmark",
    }
)

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {rest}
}}
"""
NGINX_ANSWERS = """
  server {{ listen 127.0.0.1:{port}; default_type application/json;
    location / {{ return 200 '{answer}'; }} }}
"""
NGINX_PASSES = """
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Connection ""; }} }}
"""

LITELLM = """
model_list:
  - model_name: {model}
    litellm_params:
      {{model: openai/{model}, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-upstream}}
general_settings: {{master_key: {key}}}
"""


@dataclass(frozen=True)
class Peer:
    """A process that answers completions, and the keys it takes."""

    name: str
    port: int
    keys: list[str]
    running: Running
    folder: Path

    @property
    def target(self) -> Target:
        return Target(self.name, self.port, self.keys[0], self.running.pid)


@contextmanager
def _serving(
    name: str, folder: Path, command: Sequence[str | Path], *, port: int, core: str,
    path: str = "/", keys: list[str] | None = None, **told: str,
) -> Iterator[Peer]:  # fmt: skip
    with started(command, core, folder / "output.log", told=told) as running:
        running.wait_until_ready(port, path)
        yield Peer(name, port, keys or ["none"], running, folder)


def _nginx(
    name: str, folder: Path, rest: str, port: int, core: str
) -> AbstractContextManager[Peer]:
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, rest=rest))
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(config)]
    return _serving(name, folder, command, port=port, core=core)


def plain_upstream(folder: Path) -> AbstractContextManager[Peer]:
    """Answers every request at once with one completion."""
    port = free_port()
    rest = NGINX_ANSWERS.format(port=port, answer=ANSWER)
    return _nginx("upstream direct", folder, rest, port, LOAD_CORE)


def paced_upstream(folder: Path) -> AbstractContextManager[Peer]:
    """Answers every request with a stream of 200 chunks a second."""
    folder.mkdir()
    port = free_port()
    command = [sys.executable, "-m", "load.paced", str(port)]
    return _serving("upstream direct", folder, command, port=port, core=LOAD_CORE)


def nginx(folder: Path, upstream: Peer) -> AbstractContextManager[Peer]:
    port = free_port()
    rest = NGINX_PASSES.format(port=port, upstream=upstream.port)
    return _nginx("nginx", folder, rest, port, PROXY_CORE)


def litellm(folder: Path, upstream: Peer, program: Path) -> AbstractContextManager[Peer]:
    """LiteLLM's proxy as it is fastest: no database, so no budgets; it says only errors."""
    folder.mkdir()
    port = free_port()
    config = folder / "config.yaml"
    config.write_text(LITELLM.format(model=MODEL, upstream=upstream.port, key=LITELLM_KEY))
    command: list[str | Path] = [
        program,
        "--config",
        config,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    return _serving(
        "LiteLLM", folder, [*command, "--num_workers", "1"],
        port=port, core=PROXY_CORE, path="/health/liveliness", keys=[LITELLM_KEY],
        LITELLM_LOG="ERROR", LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_TELEMETRY="False",
    )  # fmt: skip


@dataclass(frozen=True)
class Ours:
    """How to serve: where the money is written, by how many processes, on which cores."""

    name: str = "ours, SQLite"
    database: str | None = None
    workers: int = 1
    core: str = PROXY_CORE
    accounted: bool = True

    def place(self, folder: Path) -> list[str | Path]:
        named: list[str | Path] = ["--database", self.database] if self.database else []
        return ["--data", folder, *named]

    def add_accounts(self, folder: Path, number: int) -> list[str]:
        """Accounts that no limit but their huge budget stops; gives their keys."""
        keys = []
        for name in (f"student{index}" for index in range(number)):
            words = ["account", "add", name, "--budget", BUDGET_USD, "--json"]
            keys.append(json.loads(swsllm(*words, *self.place(folder)))["key"])
            limits = ["--in-flight", "10000", "--per-minute", "100000000"]
            swsllm("account", "limit", name, *limits, *self.place(folder))
        return keys

    def command(self, folder: Path, port: int, upstream: Peer) -> list[str | Path]:
        program = "swsllm_nb" if self.accounted else "load.unaccounted"
        several = ["--workers", str(self.workers)] if self.workers > 1 else []
        address = f"http://127.0.0.1:{upstream.port}/v1"
        words = ["serve", "--port", str(port), "--upstream", address, *several]
        return [sys.executable, "-m", program, *words, *self.place(folder)]

    @contextmanager
    def serving(self, folder: Path, upstream: Peer, accounts: int = 1) -> Iterator[Peer]:
        """``swsllm serve`` on a folder that may have accounts already. Raises NotStarted."""
        folder.mkdir(exist_ok=True)
        port = free_port()
        keys = self.add_accounts(folder, accounts)
        with _serving(
            self.name, folder, self.command(folder, port, upstream), port=port, core=self.core,
            path="/readyz", keys=keys, SWSLLM_UPSTREAM_KEY="sk-upstream",
        ) as peer:  # fmt: skip
            yield peer


UNACCOUNTED = Ours("ours, no accounting", accounted=False)
