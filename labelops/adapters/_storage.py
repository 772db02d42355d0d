"""What both storage ends share: roots, bucket options, and one map from vendor errors to ours."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import (
    EndError,
    EndRefused,
    EndTimeout,
    EndUnavailable,
    SettingsError,
    StorageError,
)

__all__ = ["bucket_options", "is_bucket", "root_of", "storage_error"]

_READ_ONLY = re.compile(r"Read-only file system|os error 30\b")
_DISK_FULL = re.compile(r"os error (27|28|122)\b|No space left|Disk quota exceeded|File too large")
_NO_BUCKET = re.compile(r"NoSuchBucket")
_REFUSED = re.compile(
    r"40[13] (Unauthorized|Forbidden)|valid authentication credentials|necessary privileges"
    r"|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|ExpiredToken|os error (1|13|30)\b"
    r"|Permission denied"
)
_TIMEOUT = re.compile(r"\btimed out\b|\bTimedOut\b")
_AWAY = re.compile(
    r"error sending request|\b50\d [A-Z]|\b429 |[Cc]onnection (refused|reset|closed)|dns error"
    r"|tcp connect error|SlowDown"
)
_ANSWER = re.compile(r"Server returned non-2xx")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m|[^\x20-\x7e\u00a0-\uffff]+|↳")
_SECRET_KEYS = re.compile(r"secret|token|password", re.IGNORECASE)


def is_bucket(root: str) -> bool:
    """Return whether a root is a bucket and not a folder."""
    return "://" in root


def root_of(root: str) -> str:
    """Return the root without a slash at its end: an absolute folder, or `s3://bucket/prefix`.

    Raises
    ------
    SettingsError
        For another scheme, a missing bucket, or credentials written into the address.

    Examples
    --------
    >>> root_of("s3://bucket/team/")
    's3://bucket/team'
    """
    if not is_bucket(root):
        if not root.strip() or "\x00" in root:
            raise SettingsError("the workspace root is empty; give a folder or s3://bucket/prefix")
        return str(Path(root).expanduser().absolute())
    parts = urlsplit(root)
    if "@" in parts.netloc or parts.query or parts.fragment:
        # Never echo it: it may hold a secret.
        raise SettingsError(
            "the workspace root holds credentials or a query; give s3://bucket/prefix and put "
            "the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if parts.scheme != "s3" or not parts.netloc:
        raise SettingsError(f"workspace root {root!r} is neither a folder nor s3://bucket/prefix")
    return root.rstrip("/")


def bucket_options(given: Mapping[str, str] | None) -> dict[str, str]:
    """Return the options for a bucket: `AWS_*` of the environment with `given` on top.

    Only `AWS_ENDPOINT_URL_S3` of the environment goes before an endpoint in `given`.
    Credentials are left to the vendor's own reading of the environment; only what it does not
    do by itself is added: plain HTTP for an `http://` endpoint, and seconds of patience.
    """
    options = {key.lower().removeprefix("aws_"): value for key, value in (given or {}).items()}
    given_endpoint = [
        options.pop(key, None) for key in ("endpoint_url_s3", "endpoint_url", "endpoint")
    ]
    # Both vendors put the environment's S3-only endpoint above everything: say the same.
    candidates = [
        os.environ.get("AWS_ENDPOINT_URL_S3"),
        *given_endpoint,
        os.environ.get("AWS_ENDPOINT_URL"),
    ]
    endpoint = next(filter(None, candidates), None)
    defaults = {"timeout": "60s", "connect_timeout": "5s", "max_retries": "3"}
    if endpoint:
        defaults["endpoint"] = endpoint
        defaults["allow_http"] = str(endpoint.startswith("http://")).lower()
    return defaults | options


def storage_error(
    error: BaseException,
    what: str,
    options: Mapping[str, str] | None = None,
    otherwise: str = "",
) -> EndError:
    """Turn any vendor's storage error into the one of ours that says what to do.

    Parameters
    ----------
    error : BaseException
        What the vendor raised.
    what : str
        What was being done, with the place: goes first in the message.
    options : mapping, optional
        The options in use; secrets among them are struck from the message.
    otherwise : str, optional
        What to conclude and do if the error is neither of the disk nor of the server.

    Examples
    --------
    >>> str(storage_error(OSError("No space left on device (os error 28)"), "writing /w/a"))
    'writing /w/a: the disk is full; free some space and run again, nothing was changed'
    """
    text = _one_line(str(error), options or {})
    if _DISK_FULL.search(text):
        return StorageError(
            f"{what}: the disk is full; free some space and run again, nothing was changed"
        )
    if _READ_ONLY.search(text):
        return StorageError(
            f"{what}: the folder can only be read; make it writable, or name another as `workspace`"
        )
    if _NO_BUCKET.search(text):
        return StorageError(f"{what}: there is no such bucket; create it or correct the root")
    if _REFUSED.search(text):
        return EndRefused(f"{what}: access refused; check the credentials and rights ({text})")
    if _TIMEOUT.search(str(error)):  # one vendor says so only in its debugging dump
        return EndTimeout(f"{what}: no answer in time; run again later ({text})")
    if _AWAY.search(text):
        return EndUnavailable(f"{what}: the storage cannot be reached; run again later ({text})")
    if otherwise and not _ANSWER.search(text):
        return StorageError(f"{what}: {otherwise} ({text})")
    return StorageError(f"{what}: {text}")


def _one_line(text: str, options: Mapping[str, str]) -> str:
    secrets = [value for key, value in options.items() if _SECRET_KEYS.search(key)]
    secrets += [os.environ.get(k, "") for k in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    # What follows is the vendor's debugging dump.
    text = " ".join(_ESCAPES.sub(" ", text.split("Debug source")[0]).split())
    return text if len(text) <= 400 else f"{text[:399]}…"
