"""``import swsllm_nb``: light, silent, and the same names in scripts and notebooks."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import swsllm_nb

_ROOT = Path(swsllm_nb.__file__).parents[1]


def test_importing_reads_nothing_heavy_and_says_nothing() -> None:
    script = (
        "import sys, swsllm_nb\n"
        "heavy = {'openai', 'pandas', 'matplotlib', 'ipywidgets', 'httpx2', 'IPython', 'sqlite3'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=_ROOT,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_every_public_name_is_there() -> None:
    for name in set(swsllm_nb.__all__) - {"__version__"}:
        assert getattr(swsllm_nb, name).__doc__


def test_the_version_is_the_distributions() -> None:
    try:
        expected = version("swsllm-nb")
    except ModuleNotFoundError:
        pytest.skip("swsllm-nb is not installed here")
    assert swsllm_nb.__version__ == expected


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        swsllm_nb.nonsense  # noqa: B018


def test_without_a_connection_there_is_no_last_answer() -> None:
    assert swsllm_nb.last() is None
