"""The call log: what is appended is there, after restarts, from many kernels, on bad disks."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import swsllm_nb
from swsllm_nb.notebook.calls import Call, CallLog, log_path
from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.rows import Row, this_process
from swsllm_nb.wire import CALL_COLUMNS

AT = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
CALL = Call(
    at=AT,
    source="client",
    notebook="week 3.ipynb",
    cell_id="c-1",
    exercise="",
    model="gpt-4o-mini",
    model_served="gpt-4o-mini-2024-07-18",
    prompt_tokens=12,
    cached_tokens=0,
    completion_tokens=6,
    reasoning_tokens=0,
    cost_pico=5_400_000,
    cost_source="proxy",
    remaining_pico=3_910_000_000_000,
    latency_seconds=0.5,
    first_token_seconds=0.1,
    stream=True,
    status="ok",
    finish_reason="stop",
    error_code="",
    retries=0,
    request_id="r-1",
    prompt="Is $1 more than $2? ü\n",
    answer="No.",
)
UNKNOWN = replace(
    CALL,
    at=AT + timedelta(seconds=1),
    prompt_tokens=None,
    completion_tokens=None,
    cost_pico=None,
    remaining_pico=None,
    first_token_seconds=None,
    stream=False,
    status="failed",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls" / "log.sqlite3"


@pytest.fixture
def log(path: Path) -> Iterator[CallLog]:
    running = CallLog(path)
    yield running
    running.close()


def assert_columns(frame: pd.DataFrame) -> None:
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(CALL_COLUMNS)
    assert list(frame.columns) == list(CALL_COLUMNS)


def test_an_empty_log_has_the_columns_and_makes_no_file(log: CallLog, path: Path) -> None:
    assert_columns(log.frame())
    assert len(log.frame()) == 0
    assert not path.exists()


def test_a_row_is_in_the_frame_at_once_and_after_a_restart(log: CallLog, path: Path) -> None:
    log.append(UNKNOWN)
    log.append(CALL)
    now = log.frame()
    log.close()
    later = CallLog(path).frame()
    pd.testing.assert_frame_equal(now, later)
    assert_columns(later)
    assert list(later["at"]) == [CALL.at, UNKNOWN.at]
    assert list(later["status"]) == ["ok", "failed"]
    assert later["cost_usd"][0] == 0.0000054
    assert later["prompt"][0] == CALL.prompt


def test_what_is_unknown_is_not_a_number_and_never_zero(log: CallLog) -> None:
    log.append(UNKNOWN)
    row = log.frame().iloc[0]
    for column in ("cost_usd", "remaining_usd", "prompt_tokens", "first_token_seconds"):
        assert pd.isna(row[column]), column


def test_amounts_are_stored_as_whole_pico_dollars(log: CallLog, path: Path) -> None:
    log.append(replace(CALL, cost_pico=1, budget_pico=5 * 10**12))
    log.close()
    with closing(sqlite3.connect(path)) as database:
        stored = database.execute("SELECT cost_pico, remaining_pico, budget_pico FROM calls")
        assert stored.fetchall() == [(1, 3_910_000_000_000, 5_000_000_000_000)]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_many_kernels_write_one_file(path: Path) -> None:
    logs = [CallLog(path) for _ in range(6)]
    start = threading.Barrier(len(logs))

    def fill(log: CallLog) -> None:
        start.wait()
        for number in range(50):
            log.append(replace(CALL, retries=number))
        log.close()

    threads = [threading.Thread(target=fill, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(CallLog(path).frame()) == 300


def test_a_log_that_cannot_be_written_is_told_once_and_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[str] = []
    log = CallLog(tmp_path / "file" / "log.sqlite3", tell=told.append)
    log.append(CALL)
    log.close()
    log.append(CALL)
    log.close()
    assert len(log.frame()) == 2
    assert len(told) == 1
    assert "Your calls work all the same" in told[0]


def test_a_file_that_is_no_log_costs_no_row(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 100)
    told: list[str] = []
    log = CallLog(path, tell=told.append)
    log.append(CALL)
    log.close()
    assert len(log.frame()) == 1
    assert len(told) == 1


def test_rows_wait_for_a_disk_that_comes_back(tmp_path: Path) -> None:
    blocker = tmp_path / "calls"
    blocker.touch()
    log = CallLog(blocker / "log.sqlite3", tell=lambda sentence: None)
    log.append(CALL)
    log.close()
    blocker.unlink()
    log.append(CALL)
    log.close()
    assert len(CallLog(blocker / "log.sqlite3").frame()) == 2


def test_rows_are_written_when_the_interpreter_ends(path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from test_calls import CALL\n"
        "from swsllm_nb.notebook.calls import CallLog\n"
        "CallLog(Path(sys.argv[1])).append(CALL)\n"
    )
    root = Path(swsllm_nb.__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", script, str(path), str(Path(__file__).parent)],
        check=True,
        timeout=60,
        cwd=root,
    )
    assert len(CallLog(path).frame()) == 1


def test_nobody_else_may_read_the_file(log: CallLog, path: Path) -> None:
    log.append(CALL)
    log.close()
    assert path.stat().st_mode & 0o077 == 0


def test_each_account_at_each_server_has_its_own_file(own_folders: Path) -> None:
    one = log_path(Connection("https://a/v1", "sk-marked-key", ""))
    assert one != log_path(Connection("https://b/v1", "sk-marked-key", ""))
    assert one != log_path(Connection("https://a/v1", "sk-other-key", ""))
    assert one.is_relative_to(own_folders)
    assert "marked" not in str(one)


def test_the_writer_leaves_when_nothing_comes(log: CallLog) -> None:
    log.append(CALL)
    writers = [each for each in threading.enumerate() if each.name == "swsllm-call-log"]
    for writer in writers:
        writer.join(10)
        assert not writer.is_alive()


def test_a_notebook_sees_its_own_rows_and_a_script_those_of_its_process(log: CallLog) -> None:
    log.append(CALL)
    log.append(replace(CALL, notebook="week 4.ipynb", prompt="of another notebook"))
    log.append(replace(CALL, notebook="", process="another-process", prompt="of a script"))
    assert len(log.frame()) == 3
    assert list(log.frame("week 4.ipynb")["prompt"]) == ["of another notebook"]
    assert "of a script" not in list(log.frame("")["prompt"])
    assert len(log.frame("")) == 2
    assert_columns(log.frame("no such notebook"))


def test_texts_are_not_kept_where_that_is_switched_off(
    log: CallLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(CALL)
    monkeypatch.setenv("SWSLLM_LOG_TEXTS", "off")
    log.append(replace(CALL, at=AT + timedelta(seconds=1), prompt="a secret", answer="another"))
    monkeypatch.delenv("SWSLLM_LOG_TEXTS")
    log.append(replace(CALL, at=AT + timedelta(seconds=2)))
    log.close()
    assert list(log.frame()["prompt"]) == [CALL.prompt, "", CALL.prompt]
    assert list(log.frame()["answer"]) == [CALL.answer, "", CALL.answer]
    assert b"a secret" not in path.read_bytes()


def test_a_cleared_log_is_empty_for_good_and_may_be_used_again(log: CallLog, path: Path) -> None:
    log.append(CALL)
    log.close()
    log.append(replace(CALL, prompt="not yet written"))
    assert CALL.prompt.strip().encode() in path.read_bytes()
    assert log.clear() == 2
    assert len(log.frame()) == 0
    assert CALL.prompt.strip().encode() not in path.read_bytes()
    assert log.clear() == 0
    log.append(CALL)
    log.close()
    assert len(CallLog(path).frame()) == 1


def test_a_log_that_cannot_be_cleared_says_so_and_keeps_its_rows(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 100)
    log = CallLog(path, tell=lambda sentence: None)
    log.append(CALL)
    with pytest.raises(LLMError, match="Nothing was deleted"):
        log.clear()
    assert len(log.frame()) == 1


def test_a_row_written_anew_takes_the_place_of_the_old_one(log: CallLog, path: Path) -> None:
    row_id = log.append(UNKNOWN)
    log.close()
    log.put({row_id: replace(UNKNOWN, cost_pico=7, cost_source="proxy")})
    assert [call.cost_pico for call in log.calls().values()] == [7]
    log.close()
    assert CallLog(path).calls() == {row_id: replace(UNKNOWN, cost_pico=7, cost_source="proxy")}


def test_calls_come_back_as_they_went_in(log: CallLog, path: Path) -> None:
    log.append(CALL)
    log.append(UNKNOWN)
    assert list(log.calls().values()) == [CALL, UNKNOWN]
    log.close()
    assert list(CallLog(path).calls().values()) == [CALL, UNKNOWN]


def test_a_file_of_an_older_version_is_read_and_gains_the_new_columns(
    log: CallLog, path: Path
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE calls (id TEXT PRIMARY KEY, at INTEGER, source TEXT, model TEXT, "
            "cost_pico INTEGER, stream INTEGER, retries INTEGER, latency_seconds REAL, prompt TEXT)"
        )
        database.execute(
            "INSERT INTO calls VALUES ('old', 5, 'magic', 'gpt-4o', 7, 1, 0, 0.5, 'of long ago')"
        )
    for _ in range(2):
        frame = log.frame()
        assert_columns(frame)
        old = frame.iloc[0]
        assert (old["prompt"], old["cost_usd"], old["answer"]) == ("of long ago", 7e-12, "")
        assert pd.isna(old["prompt_tokens"])
        log.append(CALL)
        log.close()
    assert list(log.frame()["source"]) == ["magic", "client", "client"]


def test_a_file_of_a_newer_version_keeps_what_only_that_knows(log: CallLog, path: Path) -> None:
    log.append(CALL)
    log.close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("ALTER TABLE calls ADD COLUMN of_the_future TEXT DEFAULT 'kept'")
    log.append(CALL)
    log.close()
    assert len(log.frame()) == 2
    with closing(sqlite3.connect(path)) as database:
        kept = database.execute("SELECT of_the_future FROM calls").fetchall()
    assert kept == [("kept",), ("kept",)]


def test_two_processes_that_write_500_rows_each_lose_none(path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from test_calls import CALL\n"
        "from swsllm_nb.notebook.calls import CallLog\n"
        "log = CallLog(Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
        "for number in range(500):\n"
        "    log.append(replace(CALL, retries=number))\n"
        "    if number % 50 == 0: log.close()\n"
    )
    command = [sys.executable, "-c", script, str(path), str(Path(__file__).parent)]
    root = Path(swsllm_nb.__file__).parents[1]
    kernels = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)
        for _ in range(2)
    ]
    for kernel in kernels:
        assert kernel.stdout is not None
        assert kernel.stdout.readline().strip() == b"ready"
    for kernel in kernels:
        assert kernel.stdin is not None
        kernel.stdin.close()
    for kernel in kernels:
        assert kernel.wait(60) == 0
        assert kernel.stdout is not None
        kernel.stdout.close()
    frame = CallLog(path).frame()
    assert sorted(frame["retries"]) == sorted([*range(500)] * 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks there")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_writes_its_own_rows(log: CallLog, path: Path) -> None:
    log.append(replace(CALL, process=this_process()))
    log.close()
    child = os.fork()
    if not child:
        log.append(replace(CALL, process=this_process()))
        log.close()
        os._exit(0)
    os.waitpid(child, 0)
    log.append(replace(CALL, process=this_process()))
    assert len(log.frame()) == 3
    assert len(log.frame("")) == 2


def test_a_row_that_the_collector_files_while_the_log_is_busy_waits_for_no_lock(
    log: CallLog,
) -> None:
    with log._lock, log._writing, log._writer._starting:
        log.append(CALL)
    assert len(log.frame()) == 1


def test_half_a_surrogate_pair_costs_no_row(log: CallLog) -> None:
    log.append(replace(CALL, prompt="half of one: \ud83d", answer="whole: \U0001f600"))
    log.close()
    assert list(log.frame()["prompt"]) == ["half of one: ?"]
    assert list(log.frame()["answer"]) == ["whole: \U0001f600"]


def test_a_machine_without_threads_to_spare_writes_the_row_at_the_end(
    log: CallLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        log.append(CALL)
        assert len(log.frame()) == 1
    log.close()
    assert len(CallLog(path).frame()) == 1


def test_a_row_that_is_settled_while_it_is_written_is_written_again(
    log: CallLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = log._file.write
    settled = replace(UNKNOWN, cost_pico=7)

    def write_while_it_is_settled(rows: Sequence[Row]) -> None:
        write(rows)
        if rows[0][0] not in written:
            written.append(rows[0][0])
            log.put({rows[0][0]: settled})
            log._take()

    written: list[str] = []
    monkeypatch.setattr(log._file, "write", write_while_it_is_settled)
    log.append(UNKNOWN)
    log.close()
    log.close()
    assert list(CallLog(path).calls().values()) == [settled]


def test_closing_ends_the_writer_at_once_also_with_rows_that_just_came(log: CallLog) -> None:
    log.append(CALL)
    writer = next(each for each in threading.enumerate() if each.name == "swsllm-call-log")
    log.append(CALL)
    log.close()
    assert not writer.is_alive()
    assert len(log.calls()) == 2
