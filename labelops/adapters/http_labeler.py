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
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import quoteattr

import pandas as pd

from ..digest import digest
from ..errors import (
    ConflictError,
    EndProtocolError,
    SettingsError,
    shown,
)
from ..kinds.choice import canonical
from ..schema import MEDIA, Schema
from ._patience import Patience
from .ml_backend_answers import Answer, results_of, versions_of
from .ml_backend_client import MlBackend
from .ml_backend_refusals import Refusals

__all__ = ["HttpLabeler"]

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
    patience : Patience
        How long a backend without an answer is asked again; by default a minute.

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
        patience: Patience | None = None,
    ) -> None:
        self._backend = MlBackend(
            url, name, timeout=timeout, auth=auth, token=token, insecure=insecure,
            max_bytes=max_bytes, patience=patience or Patience(),
        )  # fmt: skip
        if media not in MEDIA or (media == "image" and load is None):
            raise SettingsError("media is 'text', or 'image' together with `load`")
        if batch < 1:
            raise SettingsError("timeout, batch and max_bytes must be larger than 0")
        self.name = name
        self._media, self._batch, self._load = media, batch, load
        self._from_name, self._to_name = from_name, to_name
        self._params = dict(params or {})
        self._model_version: str | None = None
        self._others = pd.DataFrame()
        self.refused: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Say what and where, without secrets."""
        return f"HttpLabeler({self._backend.url!r}, name={self.name!r})"

    def health(self) -> None:
        """Return if the backend is up.

        Raises
        ------
        EndError
            If it is not, with what to do.
        """
        self._backend.ask("GET", "health", None, 0)

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
        raw = self._backend.ask("POST", "setup", self._setup_body(schema), 0)
        version = raw.get("model_version")
        if version is not None and not isinstance(version, str | int | float):
            said = shown(self._backend.masked(repr(version)))
            raise self._backend.broken(0, f"/setup answered model_version {said}, not a text")
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
                "url": self._backend.url,
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
        raw = self._backend.ask("POST", "predict", self._predict_body(items, schema), len(ids))
        try:
            answers = results_of(raw, ids, schema, self._from_name)
        except EndProtocolError as error:
            raise self._backend.broken(len(ids), self._backend.masked(str(error))) from None
        for version in versions_of(raw):
            self._same_version(version, len(ids))
        return answers

    def _same_version(self, version: str, items: int) -> None:
        if self._model_version is None:
            self._model_version = version
        if version != self._model_version:
            raise ConflictError(
                self._backend.says(
                    items,
                    f"it was model {shown(self._backend.masked(self._model_version))} and is now "
                    f"{shown(self._backend.masked(version))}",
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
