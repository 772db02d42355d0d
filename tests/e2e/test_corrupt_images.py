"""A corrupt image among good ones: it is named at every pass, and all others are released."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_digits

from labelops.app import open_app
from labelops.cli import main
from labelops.digest import canonical_json
from labelops.state import load
from labelops.testing.annotators import work

from .label_sets import team

pytestmark = pytest.mark.slow  # whole journeys

DIGITS = """
[schema]
name = "digits"
media = "image"
classes = ["0", "1", "2"]
[source.scans]
path = "scans"
licence = "CC0-1.0"
purposes = ["training"]
[route]
seed = 12
training = 20
calibration = 24
overlap_share = 0.5
[accept]
error = 0.4
[audit]
repeats = 1
planted = 0.1
[gate]
error = 0.25
agreement = 0.0
"""


class World:
    """A folder of scans, and the people who read them."""

    def __init__(self, folder: Path, size: int) -> None:
        found = load_digits(n_class=3)
        self.folder, self.truth = folder, dict[str, str]()
        (folder / "scans" / "more").mkdir(parents=True)
        (folder / "labelops.toml").write_text(DIGITS)
        for n in range(size):
            name = f"{'more/' if n % 2 else ''}{n:03d}.png"
            picture = Image.fromarray((found.images[n] * 15).astype("uint8")).resize((32, 32))
            picture.save(folder / "scans" / name)
            self.truth[name] = canonical_json(str(found.target[n]))

    def run(self, *arguments: str) -> int:
        return main(["-q", "--config", str(self.folder), *arguments])

    def until_published(self, code: int) -> None:
        """Go on until a version is released; each pass to people exits with the code."""
        for _ in range(12):
            assert self.run("run", "send") == code
            app = open_app(self.folder)
            work(app.queue, team(app, 1.0, 1.0, 1.0, 1.0), self.truth)  # type: ignore[arg-type]
            assert self.run("run", "receive") == 0
            if self.run("run", "publish") == 0:
                return
        raise AssertionError(open_app(self.folder).verdict().summary)


def test_all_others_are_released_and_it_comes_in_once_it_is_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the folder through a model's labels and the audit to two releases.

    An item whose file is damaged later stays what it was, and is not taken for gone.
    """
    world = World(tmp_path / "set", 90)
    bad = tmp_path / "set" / "scans" / "more" / "041.png"
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    world.until_published(2)
    out, err = capsys.readouterr()
    assert {
        line.partition(": the image is damaged")[0] for line in err.splitlines() if "041" in line
    } == {f"labelops: error: {bad}"}
    assert "1 bad row of scans set aside" in out
    state = load(open_app(world.folder).workspace)
    assert set(state.item_ids) == set(world.truth) - {"more/041.png"}
    assert len(state.accepted) > 0, "the model had its say"
    app = open_app(world.folder)
    first = app.read()
    assert len(first.labels) == 89 and not app.verify()
    bad.write_bytes(whole)
    later = tmp_path / "set" / "scans" / "000.png"
    sound = later.read_bytes()
    later.write_bytes(b"")
    assert world.run("run", "send") == 2
    out, err = capsys.readouterr()
    assert str(later) in err and "041" not in err
    assert "no row any more" not in out
    later.write_bytes(sound)
    world.until_published(0)
    app = open_app(world.folder)
    second = app.read()
    assert set(second.labels["item_id"]) == set(world.truth)
    changes = app.diff(first.manifest.reference, second.manifest.reference)
    assert changes.added["item_id"].tolist() == ["more/041.png"]
    assert not app.verify() and not load(app.workspace).refusals
    revisions = [r.items.set_index("item_id").loc["000.png", "revision"] for r in (first, second)]
    assert revisions == [0, 0]
    assert len(app.load()) == 90


def test_a_csv_of_images_names_row_column_and_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files that are damaged, missing, or no images, among good ones."""
    world = World(tmp_path / "set", 30)
    toml = DIGITS.replace('path = "scans"', 'path = "scans.csv"\nkey = "id"\nimage = "file"')
    (world.folder / "labelops.toml").write_text(toml)
    names = [f"scans/{name}" for name in world.truth]
    rows = [f"{n},{name}" for n, name in enumerate(names)]
    (world.folder / names[7]).write_bytes((world.folder / names[7]).read_bytes()[:70])
    (world.folder / names[9]).write_text("no image")
    (world.folder / names[11]).unlink()
    (world.folder / "scans.csv").write_text("\n".join(["id,file", *rows]) + "\n")
    assert world.run("run", "send", "--json") == 2
    out, err = capsys.readouterr()
    found = json.loads(out)["ingest"]["scans"]
    assert (found["added"], found["bad_rows"]) == (27, 3)
    for line, row, name in zip(
        err.splitlines(), (8, 10, 12), (names[7], names[9], names[11]), strict=True
    ):
        assert f"scans.csv, row {row} " in line and "column 'file'" in line and name in line
