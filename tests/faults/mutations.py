"""Breaks the program on purpose, one promise at a time, and shows that the tests notice.

    python tests/faults/mutations.py [--fast] [WORD ...]

Each mutation is made in a copy of the tree, and the tests that must fail are run there. First they
are run on the copy as it is: they must pass. Prints a table; fails if any mutation survives.
``--fast`` takes a few of them, WORDs those whose names contain one.

Not covered, for no test that only kills processes can see it: that a commit reaches the disk
(``synchronous = OFF`` on SQLite, ``fsync = off`` on PostgreSQL).
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from faults.list_of_mutations import MUTATIONS, Mutation
from faults.page_mutations import PAGE_MUTATIONS

ROOT = Path(__file__).parents[2]
COPIED = ("swsllm_nb", "tests", "notebooks", "pyproject.toml", "README.md")
PATIENCE_SECONDS = 240

PASSED, FAILED = 0, 1
_FIRST_FAILURE = re.compile(r"^(?:FAILED|ERROR) \S*?([\w.]+\.py::[^\s]+(?:.*?\])?)", re.MULTILINE)


class Stale(Exception):
    """A mutation that no longer fits the program, or tests that say nothing."""


def changed(mutation: Mutation, root: Path) -> dict[Path, str]:
    """The files of a mutation as they become. Raises Stale where a text is not there just once."""
    texts: dict[Path, str] = {}
    for change in mutation.changes:
        path = root / "swsllm_nb" / change.file
        text = texts[path] if path in texts else path.read_text("utf-8")
        found = text.count(change.old)
        if found != 1:
            raise Stale(
                f"{mutation.name}: the text to replace occurs {found} times in {change.file}; "
                "write the mutation anew in tests/faults/list_of_mutations.py."
            )
        texts[path] = text.replace(change.old, change.new)
    return texts


def outcome_of(mutation: Mutation, tree: Path) -> tuple[bool, str]:
    """Whether the tests noticed, and which."""
    mutated = changed(mutation, tree)
    kept = {path: path.read_text("utf-8") for path in mutated}
    try:
        for path, text in mutated.items():
            path.write_text(text, "utf-8")
        code, output = run_tests(mutation.tests, tree)
    finally:
        for path, text in kept.items():
            path.write_text(text, "utf-8")
    if code == PASSED:
        return False, "SURVIVED"
    if code is None:
        return True, f"bitten: nothing ended within {PATIENCE_SECONDS} s"
    first = _FIRST_FAILURE.search(output)
    if code != FAILED or first is None:
        raise Stale(f"{mutation.name}: the tests could not run:\n{output[-3000:]}")
    return True, f"bitten by {first[1]}"


def run_tests(tests: Sequence[str], tree: Path) -> tuple[int | None, str]:
    """pytest's exit code and output; None where it took too long."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    # The project's own options are also those of plugins, which are left out below.
    command += ["-o", "addopts=--import-mode=importlib"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TEST_WITH_ALL_TOOLS": "1",
        # They are half of the time of a short run.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    with subprocess.Popen(
        [*command, *tests],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            output, _ = running.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            return None, running.communicate()[0]
        except KeyboardInterrupt:
            os.killpg(running.pid, signal.SIGKILL)
            raise
    return running.returncode, output


def copy_of_the_tree(place: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "benchmarks", "browser")
            shutil.copytree(source, place / name, ignore=ignored)
        else:
            shutil.copy(source, place / name)
    return place


def chosen(words: Sequence[str], fast: bool) -> list[Mutation]:
    return [
        mutation
        for mutation in (*MUTATIONS, *PAGE_MUTATIONS)
        if (mutation.fast or not fast)
        and (not words or any(word in mutation.name for word in words))
    ]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fast", action="store_true", help="a few, in less than a minute")
    parser.add_argument("words", nargs="*", help="only mutations whose names contain one of these")
    options = parser.parse_args()
    mutations = chosen(options.words, options.fast)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="swsllm-mutations-") as folder:
        tree = copy_of_the_tree(Path(folder))
        tests = sorted({test for mutation in mutations for test in mutation.tests})
        code, output = run_tests(tests, tree)
        if code != PASSED:
            raise Stale(f"the tests fail on the program as it is:\n{output[-3000:]}")
        survived = 0
        width = max(len(mutation.name) for mutation in mutations)
        for mutation in mutations:
            noticed, verdict = outcome_of(mutation, tree)
            survived += not noticed
            files = ", ".join(sorted({change.file for change in mutation.changes}))
            print(f"{mutation.name:{width}}  {files:28}  {len(mutation.tests)} run  {verdict}")
            sys.stdout.flush()
    seconds = time.monotonic() - began
    print(f"{len(mutations)} mutations in {seconds:.0f} s, {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stale as error:
        sys.exit(str(error))
