"""How notebooks are committed: without outputs, with ids that stay, for any Python 3 kernel.

That they run is seen here by nbval, against a proxy and with the ledger in hand, and in a browser.
"""

import ast
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from proxies import RunningProxy, clean_environment

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.rglob("*.ipynb"))

each_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=[path.relative_to(FOLDER).as_posix() for path in NOTEBOOKS]
)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_of(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_the_notebook_that_lab_opens_is_there() -> None:
    assert FOLDER / "student" / "00_start_here.ipynb" in NOTEBOOKS


@each_notebook
def test_a_notebook_is_valid_and_of_the_format_that_has_cell_ids(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)


@each_notebook
def test_a_notebook_is_committed_without_outputs_and_counts(path: Path) -> None:
    assert [cell.id for cell in code_of(path) if cell.outputs or cell.execution_count] == []


@each_notebook
def test_every_cell_has_an_id_of_its_own_that_a_person_chose(path: Path) -> None:
    ids = [cell.id for cell in read(path).cells]
    assert len(set(ids)) == len(ids)
    for name in ids:
        assert name.replace("-", "").isalpha(), f"{name} says nothing about its cell"


@each_notebook
def test_a_notebook_names_nobodys_kernel_and_no_version(path: Path) -> None:
    metadata = read(path).metadata
    assert metadata.kernelspec.name == "python3"
    assert metadata.language_info == {"name": "python"}
    assert set(metadata) == {"kernelspec", "language_info"}


@each_notebook
def test_the_first_code_cell_loads_the_extension_and_shows_the_status(path: Path) -> None:
    assert code_of(path)[0].source.splitlines() == ["%load_ext swsllm_nb", "%llm"]


@each_notebook
def test_every_check_says_what_to_do_when_it_fails(path: Path) -> None:
    checks = [
        node
        for cell in code_of(path)
        for node in ast.walk(ast.parse(TransformerManager().transform_cell(cell.source)))
        if isinstance(node, ast.Assert)
    ]
    assert checks
    assert [ast.unparse(check) for check in checks if check.msg is None] == []


@each_notebook
def test_a_notebook_holds_no_key_and_no_address(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "sws-" not in text
    assert "127.0.0.1" not in text
    assert "/home/" not in text


@each_notebook
def test_a_notebook_runs_from_top_to_bottom_and_its_log_is_what_the_proxy_booked(
    path: Path, practice_proxy: RunningProxy, tmp_path: Path
) -> None:
    name = f"nbval of {path.name}"
    environment = clean_environment(
        SWSLLM_BASE_URL=practice_proxy.base_url,
        SWSLLM_API_KEY=practice_proxy.add_account(name).key,
        XDG_DATA_HOME=str(tmp_path),
    )
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-p", "no:cacheprovider", str(path)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    summary = re.search(r"= (\d+) passed in", ran.stdout)
    assert summary, ran.stdout
    assert int(summary.group(1)) == len(code_of(path))
    booked = {row["request_id"]: row["amount_pico"] for row in practice_proxy.calls(name)}
    assert logged_costs(tmp_path) == booked
    assert all(cost > 0 for cost in booked.values())
    practice_proxy.assert_adds_up()


def logged_costs(data_home: Path) -> dict[str, int]:
    """The pico-dollars that the call log holds for each request."""
    (path,) = data_home.rglob("*.sqlite3")
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT request_id, cost_pico FROM calls"))
    finally:
        connection.close()
