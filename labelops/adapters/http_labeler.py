"""Any model behind HTTP that speaks the Label Studio ML-backend protocol.

::

    POST /setup    {"project", "schema", "extra_params"}         → {"model_version"}
    POST /predict  {"tasks": [{"id", "data"}], "project",
                    "label_config", "params"}                    → {"results": [one a task]}
    GET  /health                                                 → {"status": "UP"}

Answers stand in the order of the tasks, or name their task in `task`. What an answer may
hold, and how probabilities for every class are given, is in `ml_backend_answers`.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import quoteattr

import httpx
import pandas as pd

from ..digest import digest
from ..errors import (
    ConflictError,
    EndError,
    EndProtocolError,
    EndRefused,
    EndTimeout,
    EndUnavailable,
    SettingsError,
    counted,
    shown,
)
from ..kinds.choice import canonical
from ..schema import MEDIA, Schema
from ._address import certificates, checked_host, is_loopback
from ._secrets import masked
from .ml_backend_answers import Answer, results_of, versions_of
from .ml_backend_refusals import BROKE, STATUSES, Refusals, Refused

__all__ = ["HttpLabeler"]

_WORDS = 2_000
"""Bytes that are read of why a request is refused."""

_OTHERS = 5
"""Fitted items kept to ask about, where all that is new is refused."""


class HttpLabeler:
    """A labeler reached over HTTP; it does not learn from us, so its proposals have no fold.

    Parameters
    ----------
    url : str
        The backend's root. https, or http on this machine; anything else needs `insecure`.
    name : str
        What its proposals are signed with.
    media : {"text", "image"}
        Texts are sent as they are, images as data URIs.
    timeout : float
        Seconds a request may take in all.
    batch : int
        Items in one request.
    from_name, to_name : str
        The control's and the object's names in the label config, as the backend expects them.
    params : mapping, optional
        Sent along as the protocol's `params`.
    auth : (user, password), optional
        For HTTP basic authentication; never shown or logged.
    token : str, optional
        Sent as ``Authorization: Bearer …`` instead; never shown or logged.
    insecure : bool
        Allow http to another machine: items and answers can then be read and changed on the way.
    load : callable, optional
        Payload URI → bytes; needed for images.
    max_bytes : int
        The longest answer that is read.

    Raises
    ------
    SettingsError
        If a setting is out of range or the URL is not one of the above.

    Examples
    --------
    >>> HttpLabeler("http://models.example.org")
    Traceback (most recent call last):
    labelops.errors.SettingsError: labeler url: plain http to 'models.example.org' could be read \
and changed on the way; use https, or set insecure = true
    """

    learns = False
    """Whatever is fitted, the model behind the address stays what it is."""

    def __init__(
        self,
        url: str,
        *,
        name: str = "model:http",
        media: str = "text",
        timeout: float = 30.0,
        batch: int = 64,
        from_name: str = "label",
        to_name: str = "item",
        params: Mapping[str, object] | None = None,
        auth: tuple[str, str] | None = None,
        token: str | None = None,
        insecure: bool = False,
        load: Callable[[str], bytes] | None = None,
        max_bytes: int = 16 * 2**20,
    ) -> None:
        self._host = checked_host(url, insecure=insecure)
        if media not in MEDIA or (media == "image" and load is None):
            raise SettingsError("media is 'text', or 'image' together with `load`")
        if not timeout > 0 or batch < 1 or max_bytes < 1:
            raise SettingsError("timeout, batch and max_bytes must be larger than 0")
        if auth is not None and token is not None:
            raise SettingsError("give either `auth` or `token`: a request carries one of them")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise SettingsError("the labeler's token holds a character that no HTTP header can")
        self.name = name
        self._url, self._media, self._batch, self._load = url.rstrip("/"), media, batch, load
        self._from_name, self._to_name = from_name, to_name
        self._params, self._timeout, self._max_bytes = dict(params or {}), timeout, max_bytes
        self._model_version: str | None = None
        self._others = pd.DataFrame()
        self.refused: Mapping[str, str] = {}
        user, password = auth or ("", "")
        basic = base64.b64encode(f"{user}:{password}".encode()).decode("ascii") if auth else ""
        self._secrets = (token or "", password, basic)
        # A proxy from the environment must not see what is meant for this machine.
        self._client = httpx.Client(
            auth=auth,
            timeout=timeout,
            follow_redirects=False,
            trust_env=not is_loopback(self._host),
            verify=certificates(),
            headers={"Accept-Encoding": "identity"}
            | ({"Authorization": f"Bearer {token}"} if token else {}),
        )

    def __repr__(self) -> str:
        """Say what and where, without secrets."""
        return f"HttpLabeler({self._url!r}, name={self.name!r})"

    def health(self) -> None:
        """Return if the backend is up.

        Raises
        ------
        EndError
            If it is not, with what to do.
        """
        self._ask("GET", "health", None, 0)

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        """Learn nothing; return the version: what the backend says it is, its URL, our question.

        A backend whose /setup names no version is asked for one prediction, which may.

        Raises
        ------
        EndError
            If the backend is away, slow, or answers something else than its protocol.
        """
        raw = self._ask("POST", "setup", self._setup_body(schema), 0)
        version = raw.get("model_version")
        if version is not None and not isinstance(version, str | int | float):
            said = shown(self._masked(repr(version)))
            raise self._broken(0, f"/setup answered model_version {said}, not a text")
        self._model_version = None if version in (None, "") else str(version)
        self._others = items.iloc[:_OTHERS]
        if self._model_version is None:
            Refusals(lambda some: self._predict(some, schema)).probe(self._others)
        return digest(
            {
                "from_name": self._from_name,
                "labeler": self.name,
                "media": self._media,
                "model_version": self._model_version,
                "params": self._params,
                "schema": schema.digest,
                "to_name": self._to_name,
                "url": self._url,
            }
        )

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return one row an item, in the order asked (see `ports.Labeler.propose`).

        A request that is refused is asked again in halves. An item that is refused alone, while
        others are answered, has no proposal, and `refused` says why.

        Raises
        ------
        EndTimeout, EndUnavailable
            If no answer came in time, or the backend is away or fails; retryable.
        EndRefused
            If it wants other credentials.
        EndProtocolError
            If an answer is not what the protocol says, naming the item, or all are refused.
        ConflictError
            If the model changed since `fit` or between two batches; retryable.
        """
        refusals = Refusals(lambda some: self._predict(some, schema))
        answers: list[Answer] = []
        for start in range(0, len(items), self._batch):
            answers += refusals.answers(items.iloc[start : start + self._batch])
        refusals.end(self._others)
        self.refused = refusals.found
        return pd.DataFrame(
            {
                "item_id": pd.Series(items["item_id"].tolist(), dtype=object),
                "value": pd.Series(
                    [None if a.choice is None else canonical(a.choice, schema) for a in answers],
                    dtype=object,
                ),
                "confidence": pd.Series([a.confidence for a in answers], dtype="float64"),
                "probs": pd.Series([a.probs for a in answers], dtype=object),
                "fold": pd.array([pd.NA] * len(answers), dtype="Int64"),
            }
        )

    def _predict(self, items: pd.DataFrame, schema: Schema) -> list[Answer]:
        ids = items["item_id"].tolist()
        raw = self._ask("POST", "predict", self._predict_body(items, schema), len(ids))
        try:
            answers = results_of(raw, ids, schema, self._from_name)
        except EndProtocolError as error:
            raise self._broken(len(ids), self._masked(str(error))) from None
        for version in versions_of(raw):
            self._same_version(version, len(ids))
        return answers

    def _same_version(self, version: str, items: int) -> None:
        if self._model_version is None:
            self._model_version = version
        if version != self._model_version:
            raise ConflictError(
                self._says(
                    items,
                    f"it was model {shown(self._masked(self._model_version))} and is now "
                    f"{shown(self._masked(version))}",
                    "fit and propose again",
                )
            )

    def _setup_body(self, schema: Schema) -> dict[str, object]:
        return {"project": schema.name, "schema": self._config(schema), "extra_params": None}

    def _predict_body(self, items: pd.DataFrame, schema: Schema) -> dict[str, object]:
        rows = zip(items["item_id"], items["payload"], items["media_type"], strict=True)
        tasks = [
            {"id": n, "data": {"item_id": item, self._media: self._payload(payload, media_type)}}
            for n, (item, payload, media_type) in enumerate(rows, start=1)
        ]
        return {
            "tasks": tasks,
            "project": schema.name,
            "label_config": self._config(schema),
            "params": self._params,
        }

    def _payload(self, payload: str, media_type: str) -> str:
        if self._load is None or self._media == "text":
            return payload
        content = base64.b64encode(self._load(payload)).decode("ascii")
        return f"data:{media_type};base64,{content}"

    def _config(self, schema: Schema) -> str:
        tag = "Image" if self._media == "image" else "Text"
        control, shows = quoteattr(self._from_name), quoteattr(self._to_name)
        choices = "".join(f"<Choice value={quoteattr(c)}/>" for c in schema.classes)
        return (
            f'<View><{tag} name={shows} value="${self._media}"/>'
            f'<Choices name={control} toName={shows} choice="single">{choices}</Choices></View>'
        )

    def _ask(self, method: str, path: str, body: object, items: int) -> Mapping[str, object]:
        """Send one request and return the JSON object answered; vendor errors end here."""
        try:
            # ASCII JSON, so that a lone surrogate in a text cannot break the request.
            sent = None if body is None else json.dumps(body).encode("ascii")
            request = self._client.build_request(
                method,
                f"{self._url}/{path}",
                content=sent,
                headers={"Content-Type": "application/json"},
            )
            content = self._read(request, items)
        except httpx.TimeoutException:
            raise self._late(items) from None
        except httpx.TransportError as error:
            raise EndUnavailable(
                self._says(items, f"no connection ({error})", "start the backend, check the url")
            ) from None
        except httpx.RequestError as error:
            raise self._broken(items, f"/{path}: {error}") from None
        try:
            raw = json.loads(content)
        except (ValueError, RecursionError):
            raise self._broken(
                items, f"/{path} answered {shown(self._masked(content))}, not JSON"
            ) from None
        if not isinstance(raw, dict):
            raise self._broken(
                items, f"/{path} answered {shown(self._masked(repr(raw)))}, not a JSON object"
            )
        return raw

    def _read(self, request: httpx.Request, items: int) -> bytes:
        # The client's own timeout is per read: a dripping answer would never end.
        deadline, content = time.monotonic() + self._timeout, bytearray()
        response = self._client.send(request, stream=True)
        try:
            if items and response.status_code in STATUSES:
                raise self._refusal(response, items)
            self._check_status(response, items)
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > self._max_bytes:
                    raise self._broken(
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
        words = self._masked(said).strip()
        why = f"status {status}, {shown(words)}" if words.strip("{}[]") else f"status {status}"
        error = (
            EndUnavailable(self._says(items, why, "see the backend's log"))
            if status == BROKE
            else self._broken(items, why)
        )
        return Refused(status, why, error)

    def _check_status(self, response: httpx.Response, items: int) -> None:
        status = response.status_code
        if status in (401, 403):
            raise EndRefused(self._says(items, f"status {status}", "check the credentials"))
        if status >= 500 or status in (408, 429):
            raise EndUnavailable(self._says(items, f"status {status}", "see the backend's log"))
        if response.is_redirect:
            raise self._broken(items, f"it redirects ({status}); give the final address as url")
        if status not in (200, 201):
            raise self._broken(items, f"status {status}")

    def _late(self, items: int) -> EndTimeout:
        remedy = "raise `timeout` or lower `batch`"
        return EndTimeout(self._says(items, f"no whole answer in {self._timeout:g} s", remedy))

    def _broken(self, items: int, problem: str) -> EndError:
        return EndProtocolError(
            self._says(items, problem, "check that it speaks the Label Studio ML-backend protocol")
        )

    def _masked(self, said: str | bytes) -> str:
        return masked(said, *self._secrets)

    def _says(self, items: int, problem: str, remedy: str) -> str:
        about = f", asked about {counted(items, 'item')}" if items else ""
        return f"labeler {self.name!r} at {self._host}{about}: {problem}; {remedy}"
