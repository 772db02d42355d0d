"""One question to an OpenAI-compatible server: asked again where that helps, bounded throughout.

The official client sends and authenticates; what comes back is read by `chat_answers`.
Vendor errors end here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from ..errors import (
    EndError,
    EndProtocolError,
    EndRefused,
    EndTimeout,
    EndUnavailable,
    SettingsError,
    shown,
)
from ._address import checked_host, is_loopback
from ._pace import Pace
from ._patience import Patience, is_absent
from ._secrets import masked, masked_within
from .chat_refusals import STATUSES, Refused, why_refused
from .chat_request import Request

if TYPE_CHECKING:
    import httpx2
    import openai

__all__ = ["ChatClient"]

_FIRST_WAIT = 0.5
_MOST_WAIT = 30.0
_AGAIN = (408, 409, 429)


class ChatClient:
    """Asks one question at a time; may be shared by threads.

    Parameters
    ----------
    url : str
        The server's root, such as https://api.openai.com/v1; https, or http on this machine.
    key : str
        Sent as ``Authorization: Bearer …``; never shown or logged. May be empty on this machine.
    timeout : float
        Seconds an answer may take in all.
    attempts : int
        How often a question is asked at most, where the server is busy, away or slow.
    pace : Pace
    patience : Patience
        How long a server without an answer is asked again.
    max_bytes : int
        The longest answer that is read.

    Raises
    ------
    SettingsError
        If a setting is out of range, the key is missing, or the client is not installed.

    Examples
    --------
    >>> ChatClient("https://models.example.org/v1", "")
    Traceback (most recent call last):
    labelops.errors.SettingsError: the chat model at 'models.example.org' needs a key; export \
OPENAI_API_KEY, or name another variable in labeler.token_env
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = 30.0,
        attempts: int = 5,
        pace: Pace | None = None,
        patience: Patience | None = None,
        max_bytes: int = 2**20,
    ) -> None:
        self.url, self.host = url.rstrip("/"), checked_host(url)
        if not key and not is_loopback(self.host):
            raise SettingsError(
                f"the chat model at {shown(self.host)} needs a key; export OPENAI_API_KEY, or "
                "name another variable in labeler.token_env"
            )
        if not (key.isascii() and key.isprintable()):
            raise SettingsError("the chat model's key holds a character that no HTTP header can")
        if not timeout > 0 or attempts < 1 or max_bytes < 1:
            raise SettingsError("timeout, attempts and max_bytes must be larger than 0")
        self._key, self._timeout, self._attempts = key, timeout, attempts
        self._pace, self._max_bytes = pace or Pace(), max_bytes
        self._patience = patience or Patience()
        self._client = self._open(url)

    def __repr__(self) -> str:
        """Say where, without secrets."""
        return f"ChatClient({self.host!r})"

    def _open(self, url: str) -> openai.OpenAI:
        try:
            import httpx2
            import openai
        except ImportError:
            raise SettingsError(
                "labeler.type is 'chat', which needs the official client: "
                "pip install 'labelops-pipeline[chat]'"
            ) from None
        return openai.OpenAI(
            api_key=self._key or "none",
            base_url=url,
            max_retries=0,
            http_client=httpx2.Client(
                timeout=self._timeout,
                follow_redirects=False,
                # A proxy from the environment must not see what is meant for this machine.
                trust_env=not is_loopback(self.host),
                headers={"Accept-Encoding": "identity"},
                event_hooks={"request": [_begin], "response": [self._bound]},
            ),
        )

    def _bound(self, response: httpx2.Response) -> None:
        """Bound a response's length and time before it is read."""
        import httpx2

        packed = response.headers.get("content-encoding", "identity")
        if packed != "identity":
            # Asked not to; and a small packed answer may be a large one.
            raise self._broken(f"the answer is packed ({shown(packed)})")
        limit, stream = self._max_bytes, response.stream
        deadline = response.request.extensions["began"] + self._timeout
        late = httpx2.ReadTimeout("the answer does not end", request=response.request)
        long = self._broken(f"the answer is longer than {limit} bytes")

        class Bounded(httpx2.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                size = 0
                for chunk in cast("httpx2.SyncByteStream", stream):
                    size += len(chunk)
                    if size > limit:
                        raise long
                    if time.monotonic() > deadline:
                        raise late
                    yield chunk

            def close(self) -> None:
                cast("httpx2.SyncByteStream", stream).close()

        response.stream = Bounded()

    def ask(self, request: Request, tokens: float) -> Mapping[str, object]:
        """Return the JSON object answered.

        Parameters
        ----------
        request : Request
        tokens : float
            About how many tokens question and answer have, for the pace.

        Raises
        ------
        EndTimeout, EndUnavailable
            If the last attempt gave no answer in time, or the server is away or busy; retryable.
        EndRefused
            If it wants another key, or the quota is used up.
        Refused
            If it refuses this question, and may answer others.
        EndProtocolError
            If it would refuse any question, or answers something else than JSON.
        """
        patience = self._patience
        patience.asking(f"chat model at {self.host}", self._timeout)
        for attempt in range(1, self._attempts + 1):
            self._pace.wait(tokens)
            began = patience.now()
            try:
                found = self._once(request)
            except _AskAgain as again:
                said, wait = again, again.wait
            except Exception:
                patience.answered()
                raise
            else:
                patience.answered()
                return found
            pause = _backoff(request.key, attempt) if wait is None else wait
            goes_on = attempt < self._attempts and patience.goes_on(
                began, pause, str(said.error), absent=said.absent
            )
            if not goes_on:
                raise said.error
            if wait is None:
                self._pace.pause(pause)
            else:
                self._pace.hold(wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def end(self) -> None:
        """Let no question that waits be asked again: the run ends."""
        self._patience.end()

    def _once(self, request: Request) -> Mapping[str, object]:
        import openai

        body = dict(request.body)
        named = {name: body.pop(name) for name in ("model", "messages")}
        create: Any = self._client.chat.completions.with_raw_response.create
        try:
            # The key lets a server that knows it charge a question once that is sent twice.
            response = create(
                **named, extra_body=body, extra_headers={"Idempotency-Key": request.key}
            )
        except openai.APITimeoutError:
            raise _AskAgain(self._late()) from None
        except openai.APIConnectionError as error:
            if is_absent(error):
                raise _AskAgain(self._absent(error), absent=True) from None
            raise _AskAgain(self._away(f"no whole answer ({_cause(error)})")) from None
        except openai.APIStatusError as error:
            raise self._by_status(error) from None
        except openai.OpenAIError as error:
            raise self._broken(self._masked(str(error))) from None
        return self._object(response.content)

    def _object(self, content: bytes) -> Mapping[str, object]:
        try:
            # Before anybody quotes or keeps it: an answer may repeat the key as an error may.
            found = masked_within(json.loads(content), self._key)
        except (ValueError, RecursionError):
            # What a proxy says while the server behind it is away.
            raise _AskAgain(
                self._broken(f"it answered {self._masked(content)}, not JSON")
            ) from None
        if not isinstance(found, dict):
            raise self._broken(f"it answered {self._masked(repr(found))}, not a JSON object")
        return found

    def _by_status(self, error: openai.APIStatusError) -> Exception:
        status, headers = error.status_code, error.response.headers
        if status in (401, 403):
            return EndRefused(self._says(f"status {status}", "check the key"))
        if status == 429 and error.code == "insufficient_quota":
            return EndRefused(self._says("the quota is used up", "raise it with the provider"))
        if status >= 500 or status in _AGAIN:
            wait = _retry_after(headers)
            later = "" if wait is None else f", to be asked again in {wait:.0f} s"
            return _AskAgain(self._away(f"status {status}{later}"), wait)
        if 300 <= status < 400:
            return self._broken(f"it redirects ({status}); give the final address as labeler.url")
        said = self._masked(str(error.message))
        if status in STATUSES and (why := why_refused(error)) is not None:
            return Refused(why[0], f"status {status}: {said}", sure=why[1])
        if "response_format" in str(error.message):
            return self._broken(f'{said}; set [chat] answer = "text" if it knows no JSON schema')
        if status == 404:
            return self._broken(f"{said}; check chat.model and labeler.url (…/v1)")
        return self._broken(f"status {status}: {said}")

    def _masked(self, said: str | bytes) -> str:
        """Quote what a server said, without the key it may repeat."""
        return shown(masked(said, self._key), 200)

    def _late(self) -> EndTimeout:
        remedy = "raise labeler.timeout, or lower chat.concurrency"
        return EndTimeout(self._says(f"no whole answer in {self._timeout:g} s", remedy))

    def _absent(self, error: BaseException) -> EndUnavailable:
        remedy = "start it, or check labeler.url"
        return EndUnavailable(self._says(f"no server is there ({_cause(error)})", remedy))

    def _away(self, problem: str) -> EndUnavailable:
        return EndUnavailable(self._says(problem, "run it again later: what was answered is kept"))

    def _broken(self, problem: str) -> EndProtocolError:
        remedy = "check that it is an OpenAI-compatible chat endpoint"
        return EndProtocolError(self._says(problem, remedy))

    def _says(self, problem: str, remedy: str) -> str:
        return f"chat model at {self.host}: {problem}; {remedy}"


def _begin(request: httpx2.Request) -> None:
    """Note when a request began, for the time its answer may take in all."""
    request.extensions = {**request.extensions, "began": time.monotonic()}


class _AskAgain(Exception):
    """Asking once more may help, after so many seconds if the server said how many.

    Parameters
    ----------
    error : EndError
    wait : float, optional
    absent : bool
        Whether there is no server at all.
    """

    def __init__(self, error: EndError, wait: float | None = None, *, absent: bool = False) -> None:
        super().__init__(str(error))
        self.error, self.wait, self.absent = error, wait, absent


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    return shown(f"{type(cause).__name__}: {cause}", 120)


def _backoff(key: str, attempt: int) -> float:
    """Return seconds to wait: twice as long each time, not the same for all questions."""
    spread = 0.5 + int(key[:4], 16) / 2**17
    return min(_FIRST_WAIT * 2.0 ** (attempt - 1), _MOST_WAIT) * spread


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header; a date is counted from the answer's own."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        return max(float(said), 0.0) if float(said) < 1e9 else None
    except ValueError:
        pass
    try:
        when, now = parsedate_to_datetime(said), parsedate_to_datetime(headers.get("date", ""))
        return max((when - now).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None
