"""Where a server is (https, or http on this machine), and whom we trust to be it."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from functools import cache
from urllib.parse import urlsplit

import httpx

from ..errors import SettingsError, shown

__all__ = ["certificates", "checked_host", "free_port", "holds_credentials", "is_loopback"]


@cache
def certificates() -> ssl.SSLContext:
    """Return whom we trust; reading the certificates takes longer than most requests."""
    return httpx.create_ssl_context()


def checked_host(url: str, *, insecure: bool = False) -> str:
    """Return the host, with its port where one is named.

    Parameters
    ----------
    url : str
        https, or http on this machine; anything else needs `insecure`.
    insecure : bool
        Allow http to another machine.

    Raises
    ------
    SettingsError
        If the URL is not one of these, or holds a user or password.

    Examples
    --------
    >>> checked_host("http://127.0.0.1:8080/v1")
    '127.0.0.1:8080'
    """
    # First, so that no later message shows them.
    if holds_credentials(url):
        raise SettingsError("labeler url: leave user and password out of it; they go into `auth`")
    try:
        httpx.URL(url)
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except (ValueError, httpx.InvalidURL) as error:
        raise SettingsError(f"labeler url {shown(url)}: {error}") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise SettingsError(f"labeler url {shown(url)}: expected https://host[:port][/path]")
    if parts.scheme == "http" and not insecure and not is_loopback(host):
        raise SettingsError(
            f"labeler url: plain http to {shown(host)} could be read and changed on the way; "
            "use https, or set insecure = true"
        )
    return host if port is None else f"{host}:{port}"


def free_port() -> int:
    """Return a port of this machine that nobody listens on, for a server that is to start at once.

    Examples
    --------
    >>> 0 < free_port() < 65536
    True
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def holds_credentials(url: str) -> bool:
    """Say whether an address, right or wrong, has a user or password before its host.

    Examples
    --------
    >>> holds_credentials("ftp://me:s3cret@host"), holds_credentials("https://host/a@b")
    (True, False)
    """
    return "@" in url.partition("//")[2].partition("/")[0]


def is_loopback(host: str) -> bool:
    """Say whether a host, with or without port, is this machine.

    Examples
    --------
    >>> is_loopback("localhost"), is_loopback("models.example.org:443")
    (True, False)
    """
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 else host
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
