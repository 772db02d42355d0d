"""Requests to one server of the ML-backend protocol, and its errors as ours."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping

import httpx

from ..errors import (
    EndError,
    EndProtocolError,
    EndRefused,
    EndTimeout,
    EndUnavailable,
    SettingsError,
    counted,
    shown,
)
from ._address import certificates, checked_host, is_loopback
from ._patience import Patience, is_absent
from ._secrets import masked
from .ml_backend_refusals import BROKE, STATUSES, Refused

__all__ = ["MlBackend"]

_FIRST_WAIT, _MOST_WAIT = 0.5, 8.0
"""Seconds before a request is made again: twice as long each time, up to the second."""

_WORDS = 2_000
"""Bytes that are read of why a request is refused."""


class MlBackend:
    """The door to one server, as one user; secrets of ours never appear in a message.

    Parameters
    ----------
    url, timeout, auth, token, insecure, max_bytes
        As of `HttpLabeler`.
    name : str
        Who is asked, for messages.
    patience : Patience
        How long a server without an answer is asked again.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        timeout: float,
        auth: tuple[str, str] | None,
        token: str | None,
        insecure: bool,
        max_bytes: int,
        patience: Patience,
    ) -> None:
        self._host = checked_host(url, insecure=insecure)
        if not timeout > 0 or max_bytes < 1:
            raise SettingsError("timeout, batch and max_bytes must be larger than 0")
        if auth is not None and token is not None:
            raise SettingsError("give either `auth` or `token`: a request carries one of them")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise SettingsError("the labeler's token holds a character that no HTTP header can")
        self.url, self._name = url.rstrip("/"), name
        self._timeout, self._max_bytes, self._patience = timeout, max_bytes, patience
        user, password = auth or ("", "")
        basic = base64.b64encode(f"{user}:{password}".encode()).decode("ascii") if auth else ""
        self._secrets = (token or "", password, basic)
        # A proxy from the environment must not see what is meant for this machine.
        self.client = httpx.Client(
            auth=auth,
            timeout=timeout,
            follow_redirects=False,
            trust_env=not is_loopback(self._host),
            verify=certificates(),
            headers={"Accept-Encoding": "identity"}
            | ({"Authorization": f"Bearer {token}"} if token else {}),
        )

    def ask(self, method: str, path: str, body: object, items: int) -> Mapping[str, object]:
        """Send a request until it is answered, and return the JSON object; vendor errors end here.

        Parameters
        ----------
        method, path : str
        body : JSON, or None
        items : int
            How many items it asks about, for messages; with any, a refusal may be for them.

        Raises
        ------
        EndError
            If there is no answer in time, or another than JSON; `Refused` where it may be for the
            items.
        """
        patience, wait = self._patience, _FIRST_WAIT
        patience.asking(f"labeler {self._name!r} at {self._host}", self._timeout)
        while True:
            began = patience.now()
            try:
                found = self._ask_once(method, path, body, items)
            except (EndUnavailable, EndTimeout) as error:
                absent = is_absent(error)
                if not patience.goes_on(began, wait, str(error), absent=absent):
                    raise
            except Exception:
                patience.answered()
                raise
            else:
                patience.answered()
                return found
            patience.pause(wait)
            wait = min(2 * wait, _MOST_WAIT)

    def _ask_once(self, method: str, path: str, body: object, items: int) -> Mapping[str, object]:
        try:
            # ASCII JSON, so that a lone surrogate in a text cannot break the request.
            sent = None if body is None else json.dumps(body).encode("ascii")
            request = self.client.build_request(
                method,
                f"{self.url}/{path}",
                content=sent,
                headers={"Content-Type": "application/json"},
            )
            content = self._read(request, items)
        except httpx.TimeoutException:
            raise self._late(items) from None
        except httpx.TransportError as error:
            raise EndUnavailable(
                self.says(items, f"no connection ({error})", "start the backend, check the url")
            ) from None
        except httpx.RequestError as error:
            raise self.broken(items, f"/{path}: {error}") from None
        try:
            raw = json.loads(content)
        except (ValueError, RecursionError):
            raise self.broken(
                items, f"/{path} answered {shown(self.masked(content))}, not JSON"
            ) from None
        if not isinstance(raw, dict):
            raise self.broken(
                items, f"/{path} answered {shown(self.masked(repr(raw)))}, not a JSON object"
            )
        return raw

    def _read(self, request: httpx.Request, items: int) -> bytes:
        # The client's own timeout is per read: a dripping answer would never end.
        deadline, content = time.monotonic() + self._timeout, bytearray()
        response = self.client.send(request, stream=True)
        try:
            if items and response.status_code in STATUSES:
                raise self._refusal(response, items)
            self._check_status(response, items)
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > self._max_bytes:
                    raise self.broken(
                        items, f"the answer is longer than {self._max_bytes} bytes; lower `batch`"
                    )
                if time.monotonic() > deadline:
                    raise self._late(items)
        finally:
            response.close()
        return bytes(content)

    def _refusal(self, response: httpx.Response, items: int) -> Refused:
        """Say that a request is refused, in the backend's own words as far as it has any."""
        status, said = response.status_code, next(response.iter_bytes(_WORDS), b"")
        words = self.masked(said).strip()
        why = f"status {status}, {shown(words)}" if words.strip("{}[]") else f"status {status}"
        error = (
            EndUnavailable(self.says(items, why, "see the backend's log"))
            if status == BROKE
            else self.broken(items, why)
        )
        return Refused(status, why, error)

    def _check_status(self, response: httpx.Response, items: int) -> None:
        status = response.status_code
        if status in (401, 403):
            raise EndRefused(self.says(items, f"status {status}", "check the credentials"))
        if status >= 500 or status in (408, 429):
            raise EndUnavailable(self.says(items, f"status {status}", "see the backend's log"))
        if response.is_redirect:
            raise self.broken(items, f"it redirects ({status}); give the final address as url")
        if status not in (200, 201):
            raise self.broken(items, f"status {status}")

    def _late(self, items: int) -> EndTimeout:
        remedy = "raise `timeout` or lower `batch`"
        return EndTimeout(self.says(items, f"no whole answer in {self._timeout:g} s", remedy))

    def broken(self, items: int, problem: str) -> EndError:
        """Return what is raised of an answer that is not what the protocol says."""
        return EndProtocolError(
            self.says(items, problem, "check that it speaks the Label Studio ML-backend protocol")
        )

    def masked(self, said: str | bytes) -> str:
        """Return what was said without our secrets, which it may repeat."""
        return masked(said, *self._secrets)

    def says(self, items: int, problem: str, remedy: str) -> str:
        """Say who answered what, asked about how many items, and what to do."""
        about = f", asked about {counted(items, 'item')}" if items else ""
        return f"labeler {self._name!r} at {self._host}{about}: {problem}; {remedy}"
