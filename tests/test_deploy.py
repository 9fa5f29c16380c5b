"""The files that the package ships for running it: each is what its reader takes it for."""

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tools import find

import swsllm_nb
from swsllm_nb.cli import commands
from swsllm_nb.proxy.settings_file import read_settings_file
from swsllm_nb.proxy.upstream import TOTAL_TIMEOUT_SECONDS

SHIPPED = Path(swsllm_nb.__file__).parent / "deploy"
PAGE = (SHIPPED / "README.md").read_text("utf-8")
UNITS = sorted(path.name for path in SHIPPED.glob("swsllm*.*") if path.suffix != ".toml")
GRACE_SECONDS = TOTAL_TIMEOUT_SECONDS + 30


def test_every_file_is_printed_and_the_page_where_none_is_named() -> None:
    assert CliRunner().invoke(commands, ["deploy"]).stdout == PAGE
    for path in SHIPPED.iterdir():
        printed = CliRunner().invoke(commands, ["deploy", path.name]).stdout
        assert printed == path.read_text("utf-8")
        assert path.name == "README.md" or path.name in PAGE
    unknown = CliRunner().invoke(commands, ["deploy", "../settings.py"])
    assert unknown.exit_code == 2


def test_the_settings_file_has_only_what_is_known_also_where_it_is_commented_out(
    tmp_path: Path,
) -> None:
    assert read_settings_file(SHIPPED / "swsllm.toml")["trusted_proxies"] == ["127.0.0.1"]
    text = (SHIPPED / "swsllm.toml").read_text("utf-8")
    without = re.sub(r"^upstream = .*\n", "", text, flags=re.MULTILINE)
    (tmp_path / "all.toml").write_text(re.sub(r"^# (\w+ = )", r"\1", without, flags=re.MULTILINE))
    everything = read_settings_file(tmp_path / "all.toml")
    assert everything["workers"] == 2
    assert len(everything["upstream"]) == 2


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_units_also_where_comments_are_taken_off(
    unit: str, tmp_path: Path
) -> None:
    program = find("systemd-analyze")
    for text in (
        (SHIPPED / unit).read_text("utf-8"),
        re.sub(r"^# (\w+=)", r"\1", (SHIPPED / unit).read_text("utf-8"), flags=re.MULTILINE),
    ):
        for other in UNITS:
            shipped = (SHIPPED / other).read_text("utf-8") if other != unit else text
            # It insists on a program that is there.
            there = shipped.replace("/opt/swsllm/bin/swsllm", sys.executable)
            (tmp_path / other).write_text(there)
        ran = subprocess.run(
            [program, "verify", "--man=no", str(tmp_path / unit)], capture_output=True, text=True
        )
        assert (ran.returncode, ran.stderr) == (0, "")


def test_a_unit_with_a_mistake_is_noticed(tmp_path: Path) -> None:
    text = (SHIPPED / "swsllm.service").read_text("utf-8")
    (tmp_path / "swsllm.service").write_text(text.replace("TimeoutStopSec=32min", "TimoutStop=1"))
    told = [find("systemd-analyze"), "verify", "--man=no", str(tmp_path / "swsllm.service")]
    assert "TimoutStop" in subprocess.run(told, capture_output=True, text=True).stderr


def test_whoever_stops_it_waits_until_running_calls_have_ended() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(SHIPPED / "swsllm.service")
    assert int(unit["Service"]["TimeoutStopSec"].removesuffix("min")) * 60 > GRACE_SECONDS
    (stop_timeout,) = re.findall(r"--stop-timeout (\d+) swsllm", PAGE)
    assert int(stop_timeout) > GRACE_SECONDS


def test_the_container_runs_serve_as_somebody_less_and_is_told_to_stop_at_once() -> None:
    lines = (SHIPPED / "Containerfile").read_text("utf-8").splitlines()
    told = {name: words for name, _, words in (line.partition(" ") for line in lines)}
    assert told["ENTRYPOINT"] == '["swsllm"]'
    assert told["CMD"] == '["serve"]'
    assert told["USER"] not in ("root", "0")
    assert "USER" in list(told)[: list(told).index("VOLUME")]
    for name, value in (word.split("=") for word in shlex.split(told["ENV"])[1:]):
        assert name == "PATH" or value in (told["VOLUME"], "0.0.0.0", told["EXPOSE"])


def test_every_command_and_flag_on_the_page_is_one_of_ours() -> None:
    used = re.findall(r"(?<![/\w.-])swsllm (?!swsllm)([a-z]+)( [a-z]+)?([^`\n>#;&|]*)", PAGE)
    assert len(used) > 12
    for first, second, rest in used:
        command = commands.commands[first]
        if isinstance(command, click.Group):
            command = command.commands[second.strip()]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest.split() if word.startswith("--")} <= known, (first, rest)


def test_the_units_run_what_there_is() -> None:
    for unit in UNITS:
        text = (SHIPPED / unit).read_text("utf-8")
        for name, rest in re.findall(
            r"^ExecStart=/opt/swsllm/bin/swsllm (\w+)(.*)", text, re.MULTILINE
        ):
            known = {option for told in commands.commands[name].params for option in told.opts}
            assert set(re.findall(r"--[a-z-]+", rest)) <= known


def test_every_variable_on_the_page_is_read() -> None:
    serving = commands.commands["serve"]
    known = {str(parameter.envvar) for parameter in serving.params if parameter.envvar}
    known |= {"SWSLLM_UPSTREAM_KEY", "SWSLLM_UPSTREAM_KEY_FILE"}
    known |= {"SWSLLM_SECRET", "SWSLLM_SECRET_FILE"}
    texts = [path.read_text("utf-8") for path in SHIPPED.iterdir()]
    used = {name for text in texts for name in re.findall(r"SWSLLM_[A-Z_]*[A-Z]", text)}
    assert used <= known
    table = PAGE.partition("## What it is told")[2]
    for parameter in serving.params:
        flag = parameter.opts[0]
        assert flag in table, flag


def test_links_lead_to_what_is_there() -> None:
    headings = {
        re.sub(r"[^a-z0-9 ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert target.removeprefix("#") in headings or (SHIPPED / target).exists(), target
