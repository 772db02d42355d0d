from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import UsageError
from labelops.release import Reference, Version, check_alias, next_version, parse_reference
from labelops.release.version import CHANGES

versions = st.builds(Version, *[st.integers(0, 10**9 - 1)] * 3)


@given(versions)
def test_a_version_reads_back(version: Version) -> None:
    """Text and version say the same."""
    assert Version.parse(str(version)) == version


@given(versions.filter(lambda v: max(v.major, v.minor, v.patch) < 10**9 - 1))
def test_every_next_version_is_larger(version: Version) -> None:
    """A change makes a larger version, and a larger change a larger one (semver.org, 8 to 11)."""
    after = [next_version(version, change) for change in reversed(CHANGES)]
    assert [version, *after] == sorted({version, *after})


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-rc1", "v1.2.3", "1.2.x", "-1.0.0", "١.٢.٣"]
)
def test_other_texts_are_no_versions(text: str) -> None:
    """Only three plain numbers are a version."""
    with pytest.raises(UsageError, match=r"such as 1\.4\.0"):
        Version.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("digits@1.10.0", Reference("digits", version=Version(1, 10, 0))),
        ("my-set.v2@prod", Reference("my-set.v2", alias="prod")),
        ("digits", Reference("digits", alias="latest")),
    ],
)
def test_references(text: str, expected: Reference) -> None:
    """A release is named by version, by a moving name, or by its set alone."""
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text", ["", "@latest", "digits@", "../x@1.0.0", "a/b", "d@1.0", "d@Prod!", "d@@prod", "a\nb"]
)
def test_malformed_references(text: str) -> None:
    """What could not name a release is wrong use; nothing can lead out of the folder."""
    with pytest.raises(UsageError):
        parse_reference(text)


@pytest.mark.parametrize("text", ["prod", "a", "eu-west_2", "a" * 64])
def test_a_name_that_is_given_can_be_read(text: str) -> None:
    """Whatever may be given to a release names it in a reference."""
    assert parse_reference(f"digits@{check_alias(text)}").alias == text


@pytest.mark.parametrize(
    ("text", "says"),
    [(t, "could not be read after '@'") for t in ("", "pr od", "9.9.9", "Prod", "a" * 65, "a\n")]
    + [("latest", "always means the newest release")],
)
def test_names_that_no_reference_can_have(text: str, says: str) -> None:
    """They are refused when they are given; `latest` is nobody's to give."""
    with pytest.raises(UsageError, match=says):
        check_alias(text)


def test_unknown_change() -> None:
    """Only the three changes exist."""
    with pytest.raises(UsageError, match="huge"):
        next_version(None, "huge")
