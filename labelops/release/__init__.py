"""Labels and a verdict become an immutable version; what changed between two, and why.

A release is some Parquet parts and one `manifest.json` under `releases/<name>/<version>/`.
Part names carry the digest of their bytes and the manifest is written last, create-if-absent:
a release exists when its manifest exists, and whatever a killed run left beside it is in
nobody's way.
"""

from .build import Release, ReleaseParts, build_release
from .diff import Diff, SchemaChange, diff
from .explain import Explanation, explain
from .manifest import (
    Manifest,
    Parent,
    Part,
    manifest_name,
    release_folder,
    released_versions,
)
from .publish import publish
from .verify import Problem, intact, verify, verify_files
from .version import Reference, Version, check_alias, next_version, parse_reference

__all__ = [
    "Diff",
    "Explanation",
    "Manifest",
    "Parent",
    "Part",
    "Problem",
    "Reference",
    "Release",
    "ReleaseParts",
    "SchemaChange",
    "Version",
    "build_release",
    "check_alias",
    "diff",
    "explain",
    "intact",
    "manifest_name",
    "next_version",
    "parse_reference",
    "publish",
    "release_folder",
    "released_versions",
    "verify",
    "verify_files",
]
