"""The one door to a Label Studio server: requests, pages, and its errors as ours.

The SDK carries the requests: it knows both kinds of token and renews the short-lived ones.
Its typed methods are not used, for two reasons. They describe the Enterprise server, and
they repeat a request that met a server error, which for an import means every item twice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import httpx

from labelops.adapters._address import certificates, holds_credentials
from labelops.adapters._secrets import masked
from labelops.errors import (
    EndError,
    EndProtocolError,
    EndRefused,
    EndTimeout,
    EndUnavailable,
    SettingsError,
    UsageError,
    shown,
)

if TYPE_CHECKING:
    from label_studio_sdk.core.http_client import HttpClient
    from label_studio_sdk.core.request_options import RequestOptions

__all__ = ["Api", "Json", "condition", "error_for_status", "integer", "text"]

Json = dict[str, object]
Upload = tuple[str, bytes, str]
"""File name, content, media type."""

PAGE = 200
"""Tasks a page: the server needs some 10 ms for each."""


def error_for_status(status: int, said: str, asked: str) -> EndError:
    """Return our error for an HTTP status: the one place where the server's codes are read.

    Parameters
    ----------
    status : int
    said : str
        The server's own words; shortened and quoted.
    asked : str
        Method, path and server, for the message.

    Examples
    --------
    >>> error_for_status(503, "busy", "GET /api/tasks").retryable
    True
    """
    where = f"Label Studio answered {status} to {asked}"
    if status in (401, 403):
        return EndRefused(
            f"{where}: {shown(said)}; check LABEL_STUDIO_API_KEY, that its user is a member, and "
            "what the server allows"
        )
    if status == 507:
        return EndUnavailable(f"{where}: its disk is full; free some space there and run again")
    if status in (408, 504):
        return EndTimeout(f"{where}: it is too slow just now; try again")
    if status == 429 or status >= 500:
        return EndUnavailable(f"{where}: {shown(said)}; try again later")
    if 300 <= status < 400:
        return EndProtocolError(f"{where}: it redirects; give its final address (https?)")
    if status == 404:
        return EndProtocolError(f"{where}: there is no such thing, or LABEL_STUDIO_URL is wrong")
    return EndProtocolError(f"{where}: {shown(said, 300)}")


def condition(field: str, operator: str, value: object, kind: str) -> Json:
    """Return one condition of the server's task filter."""
    return {"filter": f"filter:tasks:{field}", "operator": operator, "type": kind, "value": value}


def integer(record: Mapping[str, object], name: str) -> int:
    """Return a whole number out of an answer.

    Raises
    ------
    EndProtocolError
        If it is missing or something else.
    """
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise EndProtocolError(f"Label Studio: {name!r} should be an integer, is {shown(value)}")
    return value


def text(record: Mapping[str, object], name: str) -> str:
    """Return a text out of an answer.

    Raises
    ------
    EndProtocolError
        If it is missing or something else.
    """
    value = record.get(name)
    if not isinstance(value, str):
        raise EndProtocolError(f"Label Studio: {name!r} should be a text, is {shown(value)}")
    return value


class Api:
    """Requests to one server as one user.

    Parameters
    ----------
    url : str
        The server's address.
    api_key : str
        An access token of either kind; it never appears in a message.
    timeout : float
        Seconds to wait for one answer; imports may take three times as long.

    Raises
    ------
    SettingsError
        If the address holds a user or password.
    """

    def __init__(self, url: str, api_key: str, timeout: float) -> None:
        if holds_credentials(url):
            # They would be in every message, and take the token's place in the header.
            raise SettingsError("leave user and password out of LABEL_STUDIO_URL")
        self.url = url.rstrip("/")
        self._api_key, self._timeout = api_key, timeout
        self._client: HttpClient | None = None

    def __repr__(self) -> str:
        """Name the server without the token."""
        return f"Api({self.url!r})"

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep connections open inside the block; requests are made in one only."""
        from label_studio_sdk.client import LabelStudio

        with httpx.Client(
            timeout=self._timeout, follow_redirects=False, verify=certificates()
        ) as connections:
            try:
                sdk = LabelStudio(  # type: ignore[no-untyped-call]
                    base_url=self.url, api_key=self._api_key, httpx_client=connections
                )
            except Exception as error:  # noqa: BLE001 - mapped, or raised again as it is
                self._raise_ours(error, "the token")
            self._client = sdk._client_wrapper.httpx_client
            try:
                yield
            finally:
                self._client = None

    def get(self, path: str, params: Mapping[str, object] | None = None) -> object:
        """Read; return the decoded JSON."""
        return self._ask("GET", path, params=params)

    def send(
        self, method: str, path: str, body: object, params: Mapping[str, object] | None = None
    ) -> object:
        """Write once, never repeated by itself; return the decoded JSON (None if empty)."""
        return self._ask(method, path, params=params, body=body)

    def delete(self, path: str) -> None:
        """Delete; what somebody else deleted meanwhile is deleted, too."""
        self._ask("DELETE", path, gone_is_fine=True)

    def upload(self, path: str, files: Sequence[Upload], params: Mapping[str, object]) -> object:
        """Post files, once; return the decoded JSON."""
        return self._ask("POST", path, params=params, files=files)

    def record(self, answer: object, asked: str) -> Json:
        """Check that an answer is a JSON object."""
        if not isinstance(answer, dict):
            raise EndProtocolError(f"Label Studio: {asked} should answer an object, not a list")
        return answer

    def records(self, answer: object, asked: str) -> list[Json]:
        """Check that an answer is a list of JSON objects."""
        if not isinstance(answer, list) or not all(isinstance(a, dict) for a in answer):
            raise EndProtocolError(f"Label Studio: {asked} should answer a list of objects")
        return answer

    def tasks(
        self, project: int, conditions: Sequence[Json], *, answers: bool, page: int = PAGE
    ) -> Iterator[Json]:
        """Yield a project's tasks that meet all conditions, in order of id, page by page.

        Each page asks for ids above the last one seen, so tasks that change, appear or vanish
        meanwhile cannot push others past us, as they do with numbered pages.

        Parameters
        ----------
        project : int
        conditions : sequence
            See `condition`.
        answers : bool
            Whether annotations and predictions come along.
        page : int
            Tasks asked for at once.
        """
        last = 0
        while True:
            more = [*conditions, condition("id", "greater", last, "Number")]
            found = self._task_page(project, more, "tasks:id", answers, page)
            yield from found
            if len(found) < page:
                return
            last = integer(found[-1], "id")

    def newest_change(self, project: int) -> str | None:
        """Return when the project's tasks were last changed, by the server's clock."""
        found = self._task_page(project, [], "-tasks:updated_at", False, 1)
        return text(found[0], "updated_at") if found else None

    def _task_page(
        self, project: int, conditions: Sequence[Json], order: str, answers: bool, page: int
    ) -> list[Json]:
        query = {
            "filters": {"conjunction": "and", "items": list(conditions)},
            "ordering": [order],
        }
        params = {
            "project": project,
            "page_size": page,
            "page": 1,
            "fields": "all" if answers else "task_only",
            "resolve_uri": "false",
            "query": json.dumps(query, separators=(",", ":")),
        }
        answer = self.record(self.get("/api/tasks/", params), "GET /api/tasks")
        return self.records(answer.get("tasks"), "GET /api/tasks")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        body: object = None,
        files: Sequence[Upload] = (),
        gone_is_fine: bool = False,
    ) -> object:
        asked, client = f"{method} {path}", self._client
        if client is None:
            raise UsageError(f"{asked} outside of a session")
        try:
            response = client.request(
                path,
                method=method,
                params=dict(params or {}),
                json=body,
                files={f"file{n}": file for n, file in enumerate(files)} or None,
                request_options=self._options(method),
            )
        except Exception as error:  # noqa: BLE001 - mapped, or raised again as it is
            self._raise_ours(error, asked)
        if response.status_code == httpx.codes.NOT_FOUND and gone_is_fine:
            return None
        if not 200 <= response.status_code < 300:
            raise error_for_status(
                response.status_code,
                _detail(response, self._api_key),
                f"{asked} at {self.url}",
            )
        return self._decoded(response, asked) if response.content else None

    def _decoded(self, response: httpx.Response, asked: str) -> object:
        try:
            decoded: object = response.json()
        except ValueError:
            raise EndProtocolError(
                f"Label Studio answered {asked} with something else than JSON; is {self.url} "
                "really a Label Studio server?"
            ) from None
        return decoded

    def _options(self, method: str) -> RequestOptions:
        # A repeated import would offer every item twice; who asked may ask again.
        patience = self._timeout * (1 if method == "GET" else 3)
        return {"max_retries": 0, "timeout_in_seconds": math.ceil(patience)}

    def _raise_ours(self, error: Exception, asked: str) -> NoReturn:
        """Raise what the SDK or the transport raised as an error of ours, without the token."""
        from label_studio_sdk.core.api_error import ApiError

        if isinstance(error, httpx.TimeoutException):
            raise EndTimeout(
                f"Label Studio at {self.url} gave no answer to {asked} within "
                f"{self._timeout:g} s; try again, or raise [queue] timeout"
            ) from None
        if isinstance(error, httpx.TransportError):
            raise EndUnavailable(
                f"Label Studio at {self.url} cannot be reached ({type(error).__name__}); "
                "is it running, and is LABEL_STUDIO_URL right?"
            ) from None
        if isinstance(error, httpx.InvalidURL):
            raise EndProtocolError(
                f"{shown(self.url)} is not an address; set LABEL_STUDIO_URL"
            ) from None
        if isinstance(error, UnicodeError):
            # Its own message would show the token.
            raise EndRefused("LABEL_STUDIO_API_KEY holds characters that no token has") from None
        if isinstance(error, ApiError):
            # Only renewing a token raises this; its body may hold the token.
            raise error_for_status(error.status_code or 401, "token refused", asked) from None
        raise error


def _detail(response: httpx.Response, secret: str) -> str:
    """Return what the server says is wrong, out of its error body, without the token."""
    try:
        body = response.json()
    except ValueError:
        return masked(response.text, secret)[:300]
    if isinstance(body, dict):
        parts = [body.get("detail"), body.get("validation_errors")]
        said = "; ".join(str(p) for p in parts if p)
        if said:
            return masked(said, secret)
    return masked(str(body), secret)[:300]
