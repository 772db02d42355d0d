"""Fixtures that every suite may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# The conformance suites ship in the package; their asserts should explain themselves too.
pytest.register_assert_rewrite("labelops.testing")

_PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data kept beside the project; the test skips with a reason where it is absent."""
    folder = Path(os.environ.get("LABELOPS_TEST_DATA", _PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real data sets at {folder} (or LABELOPS_TEST_DATA)")
    return folder
