"""Fixtures that every suite may use."""

from __future__ import annotations

import atexit
import gc
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from .examples import FAST
from .servers import Start, serving

if TYPE_CHECKING:
    from labelops.adapters.label_studio_server import LabelStudioServer

# The conformance suites ship in the package; their asserts should explain themselves too.
pytest.register_assert_rewrite("labelops.testing")

# How long one example takes says more about the machine than about the code.
_ANY_SPEED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("labelops", **_ANY_SPEED)
# `make test-fast` asks for this one; every other run tries all the usual examples.
settings.register_profile("fast", **_ANY_SPEED, max_examples=FAST)
settings.load_profile("labelops")

# All that a label set draws at random is drawn by its key, which would be another in each run:
# a test that holds today holds tomorrow.
os.environ["LABELOPS_KEY"] = "e2e"

# Collecting makes a million objects that live to the end: looking for garbage among them again
# and again takes a third of the time that collecting takes.
gc.disable()

_PROJECT = Path(__file__).resolve().parent.parent


_FILE_MARKS = re.compile(r"^pytestmark = (.+?)(?=^\S)", re.MULTILINE | re.DOTALL)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out, unread, a file whose every test `-m` leaves out: its imports are the slow ones."""
    wanted = config.getoption("markexpr").split(" and ")
    left_out = [f"pytest.mark.{part[4:]}" for part in wanted if part.startswith("not ")]
    if not left_out or collection_path.suffix != ".py":
        return None
    found = _FILE_MARKS.search(collection_path.read_text(encoding="utf-8"))
    marks = re.findall(r"pytest\.mark\.\w+", found[1]) if found else []
    return True if set(marks) & set(left_out) else None


def pytest_collection_finish() -> None:
    """Set what was collected apart, and look for garbage among the rest from now on."""
    gc.freeze()
    gc.enable()
    # The very end frees everything, as it would have: pytest's own look for garbage takes seconds.
    atexit.register(gc.unfreeze)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data kept beside the project; the test skips with a reason where it is absent."""
    folder = Path(os.environ.get("LABELOPS_TEST_DATA", _PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real data sets at {folder} (or LABELOPS_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """Start a real Label Studio for the whole run; tests use label sets of their own in it."""
    from labelops.adapters.label_studio_server import LabelStudioServer

    with LabelStudioServer(tmp_path_factory.mktemp("label-studio"), timeout=900) as server:
        yield server


@pytest.fixture(scope="session")
def start_chat() -> Iterator[Start]:
    """Start a chat server with some arguments, a new one each time; return its URL."""
    with serving("chat_server") as start:
        yield lambda *arguments: f"{start(*arguments)}/v1"


@pytest.fixture(params=["numpy", pytest.param("compiled", marks=pytest.mark.slow)])
def kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test with numpy alone and, as compiling takes long, among the slow ones compiled.

    However few numbers it gives the loops.
    """
    from labelops.measure.jit import compile_always, numpy_only

    if request.param == "compiled":
        pytest.importorskip("numba")
    with compile_always() if request.param == "compiled" else numpy_only():
        yield
