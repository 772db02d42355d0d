from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from labelops.adapters import _disk, delta
from labelops.adapters.delta import MERGED_EVERY, DeltaTables
from labelops.errors import ConflictError, LabelopsError, StorageError, TableError, UsageError
from labelops.ports import Tables
from labelops.testing.tables import TablesTests, proposals_for, votes_for


def rows_on_disk(place: Path, table: str) -> list[dict[str, object]]:
    """Follow the Delta log by hand and read the files it names with DuckDB."""
    files: set[str] = set()
    log = place / table / "_delta_log"
    for entry in sorted(log.glob("*.json")):
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            files |= {action["add"]["path"]} if "add" in action else set()
            files -= {action["remove"]["path"]} if "remove" in action else set()
    if not files:
        return []
    paths = [str(log.parent / f) for f in files]
    import duckdb

    found = duckdb.sql("SELECT * FROM read_parquet($p)", params={"p": paths})
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


class TestDeltaTables(TablesTests):
    def make(self, place: Path) -> Tables:
        return DeltaTables(str(place))

    def stored(self, place: Path, table: str) -> list[dict[str, object]]:
        return rows_on_disk(place, table)

    @pytest.mark.slow
    def test_of_writers_after_one_version_one_wins(self, place: Path) -> None:
        super().test_of_writers_after_one_version_one_wins(place)


def filled(root: Path, commits: int = 3) -> DeltaTables:
    tables = DeltaTables(str(root))
    for i in range(commits):
        tables.append("votes", votes_for([str(i)]))
    return tables


@pytest.mark.slow
def test_compacting_keeps_every_row(tmp_path: Path) -> None:
    """Many small files become one; rows, dtypes and further appends are as before."""
    tables = filled(tmp_path, 12)
    assert tables.compact("plan") == 0
    before = tables.read("votes").sort_values("vote_id", ignore_index=True)
    version = tables.version("votes")
    assert tables.compact("votes") == 12
    assert tables.read("votes").sort_values("vote_id", ignore_index=True).equals(before)
    assert tables.version("votes") > version
    tables.append("votes", votes_for(["later"]))
    assert len(tables.read("votes")) == 13


def test_compacting_many_times_settles(tmp_path: Path) -> None:
    """With nothing to merge, compacting changes no file."""
    tables = filled(tmp_path, 3)
    tables.compact("votes")
    assert tables.compact("votes") == 0


def _files_read(root: Path) -> int:
    """Count the files that a table is read from."""
    return len(DeltaTable(str(root / "votes")).file_uris())


@pytest.mark.slow
def test_appending_merges_small_files_now_and_then(tmp_path: Path) -> None:
    """However often is appended, a table is read from few files, and every row is in them."""
    tables = filled(tmp_path, 3 * MERGED_EVERY)
    assert _files_read(tmp_path) <= MERGED_EVERY
    found = DeltaTables(str(tmp_path)).read("votes")["vote_id"]
    assert sorted(found, key=int) == [str(i) for i in range(3 * MERGED_EVERY)]
    tables.append("votes", votes_for(["later"]), after=tables.version("votes"))
    assert len(tables.read("votes")) == 3 * MERGED_EVERY + 1


@pytest.mark.parametrize("error", [ConflictError, StorageError])
def test_an_append_is_done_although_its_files_cannot_be_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[LabelopsError]
) -> None:
    """What is in is in: others at work, or a disk that is full by now, are no reason to fail."""
    monkeypatch.setattr(delta, "MERGED_EVERY", 2)
    tables = filled(tmp_path, 1)

    def busy(self: DeltaTables, table: str) -> int:
        raise error("not now")

    monkeypatch.setattr(DeltaTables, "compact", busy)
    tables.append("votes", votes_for(["second"]))
    assert sorted(tables.read("votes")["vote_id"]) == ["0", "second"]


@pytest.mark.slow
@pytest.mark.parametrize(("commits", "merged"), [(1, False), (5, True), (101, False)])
def test_a_power_cut_takes_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: int, merged: bool
) -> None:
    """What was not flushed may be empty afterwards: nothing that the table needs is."""
    monkeypatch.setattr(delta, "MERGED_EVERY", 10**9)  # Delta's own checkpoint comes at 100.
    flushed: set[int] = set()
    fsync = os.fsync

    def noted(handle: int) -> None:
        flushed.add(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    tables = filled(tmp_path, commits)
    if merged:
        tables.compact("votes")
    folders = [tmp_path, tmp_path / "votes", _log(tmp_path)]
    assert {place.stat().st_ino for place in folders} <= flushed
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.stat().st_ino not in flushed:
            file.write_bytes(b"")
    assert len(DeltaTables(str(tmp_path)).read("votes")) == commits


def test_a_power_cut_takes_nothing_of_a_writer_that_died(tmp_path: Path) -> None:
    """An entry that a killed process left unflushed is flushed with the next one."""
    filled(tmp_path, 2)
    flushed: list[str] = []

    def noted(path: Path) -> None:
        flushed.append(path.name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_disk, "flush", noted)
        DeltaTables(str(tmp_path)).append("votes", votes_for(["next"]))
    assert {f"{version:020d}.json" for version in (2, 3)} <= set(flushed)


def _log(root: Path) -> Path:
    return root / "votes" / "_delta_log"


def _last_entry(root: Path) -> Path:
    return sorted(_log(root).glob("*.json"))[-1]


def _truncate(root: Path) -> None:
    entry = _last_entry(root)
    entry.write_bytes(entry.read_bytes()[:40])


def _overwrite(root: Path) -> None:
    _last_entry(root).write_text("not json\n")


def _blank(root: Path) -> None:
    _last_entry(root).write_bytes(b"")


def _gap(root: Path) -> None:
    sorted(_log(root).glob("*.json"))[1].unlink()


def _no_log(root: Path) -> None:
    shutil.rmtree(_log(root))


def _no_entries(root: Path) -> None:
    for entry in _log(root).iterdir():
        entry.unlink()


def _no_data(root: Path) -> None:
    next((root / "votes").glob("*.parquet")).unlink()


def _bad_data(root: Path) -> None:
    next((root / "votes").glob("*.parquet")).write_bytes(b"garbage" * 100)


@pytest.mark.parametrize(
    "damage",
    [_truncate, _overwrite, _blank, _gap, _no_log, _no_entries, _no_data, _bad_data],
    ids=lambda f: f.__name__.strip("_"),
)
def test_a_damaged_table_is_named_with_its_remedy(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Damage is one line with the table, its place and what to do; never fewer rows in silence."""
    tables = filled(tmp_path)
    damage(tmp_path)
    with pytest.raises(StorageError) as caught:
        tables.read("votes")
    message = str(caught.value)
    assert "votes" in message
    assert str(tmp_path) in message
    assert "damaged" in message
    assert "restore" in message
    assert "\n" not in message
    assert "\x1b" not in message
    assert not caught.value.retryable


def test_the_version_is_asked_anew_when_the_log_has_a_new_entry(tmp_path: Path) -> None:
    """Another opener's append and a damaged new entry are seen, though the log was read before."""
    tables = filled(tmp_path)
    before = tables.version("votes")
    DeltaTables(str(tmp_path)).append("votes", votes_for(["elsewhere"]))
    assert tables.version("votes") == before + 1
    (_log(tmp_path) / f"{before + 2:020d}.json").touch()
    with pytest.raises(StorageError, match="damaged"):
        tables.version("votes")


def test_appending_to_a_table_without_its_log_does_not_start_anew(tmp_path: Path) -> None:
    """A lost log is not taken for a new table: that would hide every old row."""
    tables = filled(tmp_path)
    _no_log(tmp_path)
    with pytest.raises(StorageError, match="damaged"):
        tables.append("votes", votes_for(["x"]))


def test_an_older_table_is_refused(tmp_path: Path) -> None:
    """A table without a column of today's is another version's, and is said to be."""
    import pyarrow as pa
    from deltalake import write_deltalake

    write_deltalake(tmp_path / "votes", pa.table({"vote_id": ["a"]}))
    with pytest.raises(StorageError, match="another version"):
        DeltaTables(str(tmp_path)).read("votes")


def test_a_list_column_cannot_be_compared(tmp_path: Path) -> None:
    """`where` on a list column is wrong use."""
    tables = DeltaTables(str(tmp_path))
    tables.append("proposals", proposals_for(["a"]))
    with pytest.raises(UsageError, match="probs"):
        tables.read("proposals", where={"probs": "x"})


def test_options_do_not_show() -> None:
    """Secrets given as options are in no repr."""
    tables = DeltaTables("s3://bucket/team", {"aws_secret_access_key": "hunter2"})
    assert "hunter2" not in repr(tables)
    assert "bucket" in repr(tables)


def run(script: str, *args: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


# Forked before the vendor starts its threads, which do not survive a fork.
_APPENDERS = """
import os, sys
from labelops.adapters.delta import DeltaTables
from labelops.testing.tables import votes_for
children = []
for writer in range(4):
    pid = os.fork()
    if pid == 0:
        tables = DeltaTables(sys.argv[1])
        for i in range(5):
            tables.append("votes", votes_for([f"{writer}-{i}"]))
            if writer == 0 and i % 2:
                tables.compact("votes")
        os._exit(0)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
assert codes == [0] * 4, codes
"""


@pytest.mark.slow
def test_four_processes_lose_nothing(tmp_path: Path) -> None:
    """Four processes create and append at once, one also compacts: every row is there once."""
    run(_APPENDERS, tmp_path)
    expected = Counter(f"{w}-{i}" for w in range(4) for i in range(5))
    assert Counter(DeltaTables(str(tmp_path)).read("votes")["vote_id"]) == expected
    assert Counter(row["vote_id"] for row in rows_on_disk(tmp_path, "votes")) == expected


_KILLED = """
import os, random, select, signal, sys
from labelops.adapters.delta import DeltaTables
from labelops.testing.tables import votes_for
rows = [votes_for([f"{i}-{j}" for j in range(200)]) for i in range(40)]
chance = random.Random(7)
for trial in range(6):
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        tables = DeltaTables(f"{sys.argv[1]}/{trial}")
        for i, frame in enumerate(rows):
            os.write(tell, b"a")
            tables.append("votes", frame)
            os.write(tell, b"z")
        os._exit(0)
    os.read(told, 1)
    for _ in range(trial):
        os.read(told, 2)
    select.select([], [], [], chance.uniform(0, 0.02))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(tell)
    rest = b""
    while chunk := os.read(told, 4096):
        rest += chunk
    os.close(told)
"""


@pytest.mark.slow
def test_a_killed_append_leaves_a_readable_table(tmp_path: Path) -> None:
    """After SIGKILL in the middle of an append, whole appends are there and the next one works."""
    run(_KILLED, tmp_path)
    for trial in range(6):
        tables = DeltaTables(str(tmp_path / str(trial)))
        counts = Counter(v.split("-")[0] for v in tables.read("votes")["vote_id"])
        assert set(counts.values()) <= {200}
        tables.append("votes", votes_for(["after"]))
        assert len(tables.read("votes", where={"vote_id": "after"})) == 1


_FULL = """
import json, sys
from labelops.adapters.delta import DeltaTables
from labelops.errors import StorageError
from labelops.testing.tables import votes_for
import numpy as np
tables = DeltaTables(sys.argv[1])
tables.append("votes", votes_for(["before"]))
version = tables.version("votes")
ids = [str(x) for x in np.random.default_rng(0).random(20_000)]
try:
    tables.append("votes", votes_for(ids))
except StorageError as error:
    print(json.dumps([str(error), tables.version("votes") - version,
                      tables.read("votes")["vote_id"].tolist()]))
"""


@pytest.mark.slow
def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    """On a full disk an append fails with one clear line and the table is as it was."""
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o size=256k tmpfs {tmp_path}"
    probe = [str(unshare), "-rm", "sh", "-c", mount]
    if unshare is None or subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tiny tmpfs in its own namespace")
    script = '"$0" -c "$1" "$2"'
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", f"{mount} && {script}", sys.executable, _FULL, tmp_path],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    message, grown, rows = json.loads(done.stdout)
    assert "disk is full" in message
    assert "\n" not in message
    assert (grown, rows) == (0, ["before"])


def test_a_large_append_is_one_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows written slice by slice are one commit; a bad one in a late slice stops all of them."""
    monkeypatch.setattr("labelops.adapters._arrow.SLICE", 10)
    tables = DeltaTables(str(tmp_path))
    ids = [f"v{i:02d}" for i in range(35)]
    tables.append("votes", votes_for(ids))
    assert sorted(tables.read("votes")["vote_id"]) == ids
    before = tables.version("votes")
    with pytest.raises(TableError, match=r"row 27, column 'vote_id'.*UTF-8"):
        tables.append("votes", votes_for([*ids[:27], "\ud800", *ids[28:]]))
    assert tables.version("votes") == before
    tables.append("votes", votes_for(["w"]))
    assert tables.version("votes") == before + 1
