"""Where `labelops check` writes: found before the work, whole or not at all, never over labels."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from labelops.cli import main

from .checked import VOTES, crowd_file
from .world import run


def test_where_nothing_may_be_written_is_found_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder or a file without permission: asked of the system, as root may write anywhere."""
    file = crowd_file(tmp_path / "crowd.csv")
    closed = tmp_path / "closed"
    closed.mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: path != closed)
    for option in ("--output", "--report"):
        assert main(["check", str(file), *VOTES, option, str(closed / "x.csv")]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert "x.csv: cannot be written (no permission)" in said


@pytest.mark.parametrize("option", [pytest.param("--report", marks=pytest.mark.slow), "--output"])
def test_a_result_that_fails_half_way_leaves_the_one_before(
    option: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full disk takes no earlier result away, and leaves nothing behind."""
    file, target = crowd_file(tmp_path / "crowd.csv"), tmp_path / "before"
    target.write_text("earlier")
    target.chmod(0o640)

    def fail(to: Path, *_: object, **__: object) -> None:
        to.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", fail)
        patch.setattr(pd.DataFrame, "to_csv", lambda _, to, **__: fail(to))
        assert run(tmp_path, "check", str(file), *VOTES, option, str(target)) == 2
    assert "before: cannot be written (No space left on device); free some" in (
        capsys.readouterr().err
    )
    assert target.read_text() == "earlier"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["before", "crowd.csv"]
    assert run(tmp_path, "check", str(file), *VOTES, option, str(target)) == 0
    assert "k4" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.slow
def test_a_result_may_go_into_a_pipe(tmp_path: Path) -> None:
    """`--output /dev/stdout` is no file to be replaced."""
    file = crowd_file(tmp_path / "crowd.csv")
    command = [sys.executable, "-m", "labelops", "-q", "check", str(file), *VOTES]
    done = subprocess.run([*command, "--output", "/dev/stdout"], capture_output=True, check=True)
    assert done.stdout.decode().startswith("id,final,ann,ben,cem,check_wrong")


@pytest.mark.parametrize("option", ["--report", "--output"])
def test_the_labels_are_never_written_over(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file itself, also by another way to it, and one result over the other: refused."""
    file = crowd_file(tmp_path / "crowd.csv")
    before = file.read_bytes()
    (tmp_path / "link.csv").symlink_to(file)
    for name in ("crowd.csv", "link.csv"):
        assert run(tmp_path, "check", str(file), *VOTES, option, str(tmp_path / name)) == 2
        assert "different files" in capsys.readouterr().err
    one = str(tmp_path / "one")
    assert run(tmp_path, "check", str(file), *VOTES, "--report", one, "--output", one) == 2
    assert file.read_bytes() == before and not (tmp_path / "one").exists()


def test_a_folder_that_is_not_there_is_found_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And said in one line."""
    file = crowd_file(tmp_path / "crowd.csv")
    target = str(tmp_path / "none" / "x.csv")
    assert main(["check", str(file), *VOTES, "--output", target]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "no such folder" in said


def test_needs_no_label_set_and_leaves_nothing(tmp_path: Path) -> None:
    """No labelops.toml is read or written; nothing is left that was not asked for."""
    file = crowd_file(tmp_path / "crowd.csv")
    assert run(tmp_path, "check", str(file), *VOTES) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["crowd.csv"]


def test_a_column_of_results_that_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Votes in a column named as the result would be: said before the work."""
    file, target = tmp_path / "crowd.csv", str(tmp_path / "out.csv")
    pd.DataFrame({"y": ["a", "b"] * 9, "check_call": ["a", "b"] * 9}).to_csv(file, index=False)
    asked = ["check", str(file), "--label", "y", "--votes", "check_call", "--output", target]
    assert main(asked) == 2
    _, line = capsys.readouterr().err.splitlines()
    assert "has a column 'check_call' already; rename that" in line
    assert main(asked[:-2]) == 0


@pytest.mark.slow
def test_a_checked_file_is_checked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its columns are written anew, not twice, and nothing is judged by them."""
    file, again = crowd_file(tmp_path / "crowd.csv"), tmp_path / "again.csv"
    once = tmp_path / "once.csv"
    assert run(tmp_path, "check", str(file), *VOTES, "--output", str(once)) == 0
    assert run(tmp_path, "check", str(once), *VOTES, "--output", str(again)) == 0
    assert again.read_bytes() == once.read_bytes()
    named = ("--label", "check_call", "--votes", "ann,ben")
    capsys.readouterr()
    assert run(tmp_path, "check", str(once), *named, "--output", str(again)) == 2
    assert "has a column 'check_call' already" in capsys.readouterr().err


def test_a_report_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so before, or instead of, a traceback."""
    file = crowd_file(tmp_path / "crowd.csv", 20)
    there: Any = ("--report", str(tmp_path / "no" / "such" / "a.html"))
    assert run(tmp_path, "check", str(file), *VOTES, *there) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_where_nothing_could_be_judged_no_numbers_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither classes with zeros nor who judged: nobody did. JSON has null for what is unknown."""
    file, page = tmp_path / "none.csv", tmp_path / "none.html"
    file.write_text("id,final,ann,ben\n1,cat,,\n2,dog,,\n3,cat,,\n", encoding="utf-8")
    asked = ("check", str(file), "--label", "final", "--votes", "ann,ben")
    assert run(tmp_path, *asked, "--report", str(page)) == 0
    shown = (capsys.readouterr().out, page.read_text(encoding="utf-8"))
    for said in shown:
        assert "No label could be judged." in said and "3 rows are not judged: no vote." in said
        assert not any(w in said for w in ("Classes", "udged by", "How it was", "probably wrong"))
    assert run(tmp_path, *asked, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["judged"], told["expected_wrong"]) == (0, None)
    assert "expected" not in told["by_class"][0]


@pytest.mark.slow
def test_votes_alone_show_what_the_rows_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text column is shown beside a label and on the page, and judges nothing."""
    crowd, page = pd.read_csv(crowd_file(tmp_path / "crowd.csv")), tmp_path / "crowd.html"
    judged = [run(tmp_path, "check", str(tmp_path / "crowd.csv"), *VOTES, "--json")]
    before = json.loads(capsys.readouterr().out)
    file = tmp_path / "told.csv"
    crowd.assign(via="mail", note=[f"what cat <b>{n}</b> said" for n in crowd["id"]]).to_csv(file)
    judged += [run(tmp_path, "check", str(file), *VOTES, "--json")]
    assert judged == [0, 0] and json.loads(capsys.readouterr().out) == before
    assert run(tmp_path, "check", str(file), *VOTES, "--report", str(page)) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("  k4 ")]
    assert line.endswith("what cat <b>k4</b> said")
    assert "what cat &lt;b&gt;k4&lt;/b&gt; said</div>" in page.read_text(encoding="utf-8")


def test_votes_alone_show_the_pictures(tmp_path: Path) -> None:
    """Image files that the rows name are on the page."""
    from PIL import Image

    Image.new("L", (8, 8), 200).save(tmp_path / "k.png")
    crowd, page = pd.read_csv(crowd_file(tmp_path / "crowd.csv")), tmp_path / "crowd.html"
    crowd.assign(file="k.png").to_csv(tmp_path / "seen.csv", index=False)
    assert run(tmp_path, "check", str(tmp_path / "seen.csv"), *VOTES, "--report", str(page)) == 0
    assert '<img src="data:image/png;base64,' in page.read_text(encoding="utf-8")
