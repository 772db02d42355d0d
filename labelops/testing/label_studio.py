"""Hands in a real Label Studio server: what an annotator does, through the server's own API.

It speaks plain HTTP and shares no code with the adapter, so a test that uses both sees the
adapter's mistakes. Every annotator has an account of their own, made by the administrator's
invitation link, and acts in a session of their own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from labelops.digest import keyed_digest
from labelops.errors import EndProtocolError, EndRefused, EndUnavailable, UsageError, shown
from labelops.ports import Offer
from labelops.tables import PURPOSES

__all__ = ["LabelStudioHands"]

_DOMAIN = "@labelops.invalid"
_KINDS = ("label", "blind", "review", "audit")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,40}")
_PAGE = 200


class LabelStudioHands:
    """Annotators at work in the projects of one label set.

    An annotator ``human:ann1`` is the account ``ann1@labelops.invalid``, made when first
    needed; one that is an address is that account. Passwords follow from the administrator's
    token.

    Parameters
    ----------
    url : str
        The server's address.
    admin_token : str
        The administrator's legacy token.
    label_set : str
        Whose projects to work in.
    key : bytes
        As given to the queue: tasks do not say what they are for, but tests have to know.
    namespace : str
        As given to the queue.
    timeout : float
        Seconds to wait for one answer.
    """

    def __init__(
        self,
        url: str,
        admin_token: str,
        label_set: str,
        *,
        key: bytes,
        namespace: str = "",
        timeout: float = 60.0,
    ) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._token, self._timeout = admin_token, timeout
        # Reading the certificates takes longer than a request: once for all annotators.
        self._certificates = httpx.create_ssl_context()
        stem = f"labelops {label_set}" + (f" [{namespace}]" if namespace else "")
        self._titles = {f"{stem} · {kind}": n for n, kind in enumerate(_KINDS)}
        self._admin = self._client()
        self._admin.headers["Authorization"] = f"Token {admin_token}"
        self._sessions: dict[str, tuple[httpx.Client, int]] = {}
        self._controls: dict[int, tuple[str, str]] = {}

    def __repr__(self) -> str:
        """Name the server without the token."""
        return f"LabelStudioHands({self.url!r})"

    def close(self) -> None:
        """Close all connections."""
        for client, _ in self._sessions.values():
            client.close()
        self._admin.close()
        self._sessions = {}

    # --- what annotators can do ----------------------------------------------------------

    def offers(self, annotator: str, limit: int | None = None) -> list[Offer]:
        """Return what the server would serve this annotator, project by project."""
        client, user = self._session(annotator)
        found: list[Offer] = []
        for project in self._projects():
            for task in self._open_tasks(client, project, user, limit):
                found.append(_offer(task, project, self._key))
                if limit is not None and len(found) >= limit:
                    return found
        return found

    def answer(self, annotator: str, offer: Offer, value: str, seconds: float = 1.0) -> None:
        """Submit an answer."""
        body = {"result": self._result(offer, value), "lead_time": seconds}
        self._create(annotator, offer, body)

    def skip(self, annotator: str, offer: Offer) -> None:
        """Press Skip."""
        self._create(annotator, offer, {"result": [], "was_cancelled": True, "lead_time": 1.0})

    def edit(self, annotator: str, offer: Offer, value: str) -> None:
        """Open the own answer and press Update."""
        client, own = self._own(annotator, offer)
        change = {"result": self._result(offer, value)}
        _checked(client.patch(f"/api/annotations/{own}/", json=change, headers=_guard(client)))

    def delete(self, annotator: str, offer: Offer) -> None:
        """Delete the own answer."""
        client, own = self._own(annotator, offer)
        _checked(client.delete(f"/api/annotations/{own}/", headers=_guard(client)))

    def sign_in(self, annotator: str) -> tuple[str, str]:
        """Return the address and password with which this annotator logs in in a browser."""
        self._session(annotator)
        email = _email(annotator)
        return email, self._password(email)

    # --- how ------------------------------------------------------------------------------

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=self._timeout, verify=self._certificates)

    def _projects(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for title in self._titles:
            answer = _checked(self._admin.get("/api/projects/", params={"title": title}))
            found += [p for p in answer["results"] if p["title"] == title]
        return sorted(found, key=lambda p: (self._titles[p["title"]], p["id"]))

    def _open_tasks(
        self,
        client: httpx.Client,
        project: Mapping[str, Any],
        user: int,
        limit: int | None,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield tasks that still lack answers and were not touched by this user, in order."""
        last, size = 0, _PAGE if limit is None else min(limit, _PAGE)
        while True:
            conditions = [
                _condition("is_labeled", "equal", "Boolean", False),
                _condition("annotators", "not_contains", "List", user),
                _condition("id", "greater", "Number", last),
            ]
            query = {
                "filters": {"conjunction": "and", "items": conditions},
                "ordering": ["tasks:id"],
            }
            params = {
                "project": project["id"],
                "page_size": size,
                "resolve_uri": "false",
                "fields": "all" if project["show_collab_predictions"] else "task_only",
                "query": json.dumps(query),
            }
            tasks = _checked(client.get("/api/tasks/", params=params))["tasks"]
            yield from tasks
            if len(tasks) < size:
                return
            last = tasks[-1]["id"]

    def _result(self, offer: Offer, value: str) -> list[dict[str, Any]]:
        name, of = self._control(int(offer.ref.partition(":")[0]))
        region = {
            "id": "answer",
            "from_name": name,
            "to_name": of,
            "type": "choices",
            "value": {"choices": [json.loads(value)]},
        }
        return [region]

    def _control(self, project: int) -> tuple[str, str]:
        """Return the names of a project's choices and of what they are about."""
        if project not in self._controls:
            config = _checked(self._admin.get(f"/api/projects/{project}/"))["label_config"]
            control = ET.fromstring(config).find(".//Choices")  # noqa: S314 - our own server's
            if control is None:
                raise EndProtocolError(f"project {project} has no choices to click on")
            self._controls[project] = control.get("name", ""), control.get("toName", "")
        return self._controls[project]

    def _create(self, annotator: str, offer: Offer, body: Mapping[str, Any]) -> None:
        client, _ = self._session(annotator)
        project, _, task = offer.ref.partition(":")
        path = f"/api/tasks/{task}/annotations/"
        params = {"project": project}
        _checked(client.post(path, params=params, json=body, headers=_guard(client)))

    def _own(self, annotator: str, offer: Offer) -> tuple[httpx.Client, int]:
        """Return the session and the number of the annotator's own answer."""
        client, user = self._session(annotator)
        task = offer.ref.partition(":")[2]
        answers = _checked(client.get(f"/api/tasks/{task}/annotations/"))
        mine = [a["id"] for a in answers if a["completed_by"] == user]
        if not mine:
            raise UsageError(f"{annotator} has given no answer to item {shown(offer.item_id)}")
        return client, int(mine[-1])

    # --- accounts ---------------------------------------------------------------------------

    def _password(self, email: str) -> str:
        return hmac.new(self._token.encode(), email.encode(), hashlib.sha256).hexdigest()[:24]

    def _session(self, annotator: str) -> tuple[httpx.Client, int]:
        """Return the annotator's session and number, logging in or signing up once."""
        if annotator not in self._sessions:
            email = _email(annotator)
            users = _checked(self._admin.get("/api/users/"))
            known = any(u["email"].lower() == email for u in users)
            client = self._client()
            self._log_in(client, email) if known else self._sign_up(client, email)
            user = _checked(client.get("/api/current-user/whoami"))["id"]
            self._sessions[annotator] = client, int(user)
        return self._sessions[annotator]

    def _log_in(self, client: httpx.Client, email: str) -> None:
        self._submit(client, "/user/login/", email, {})

    def _sign_up(self, client: httpx.Client, email: str) -> None:
        invitation = _checked(self._admin.get("/api/invite"))["token"]
        self._submit(client, "/user/signup/", email, {"token": invitation})

    def _submit(
        self, client: httpx.Client, page: str, email: str, params: Mapping[str, str]
    ) -> None:
        """Fill in the form of a page as a browser does; a redirect says that it went well."""
        client.get(page, params=params).raise_for_status()
        form = {
            "email": email,
            "password": self._password(email),
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        headers = {"Referer": self.url + page}
        answer = client.post(page, params=params, data=form, headers=headers)
        if not answer.is_redirect:
            raise EndRefused(f"Label Studio did not let {email} in at {page}")


def _email(annotator: str) -> str:
    """Return the account of an annotator."""
    name = annotator.removeprefix("human:").lower()
    if "@" in name:
        return name
    if not _NAME.fullmatch(name):
        raise UsageError(f"annotator {shown(annotator)} cannot be an account's name")
    return name + _DOMAIN


def _condition(field: str, operator: str, kind: str, value: object) -> dict[str, object]:
    return {"filter": f"filter:tasks:{field}", "operator": operator, "type": kind, "value": value}


def _guard(client: httpx.Client) -> dict[str, str]:
    """Return the header that shows a request to come from the session's own page."""
    return {"X-CSRFToken": client.cookies["csrftoken"]}


def _offer(task: Mapping[str, Any], project: Mapping[str, Any], key: bytes) -> Offer:
    data = task["data"]
    item, number = data["labelops_item"], data["labelops_round"]
    on_screen = [
        p["result"][0]["value"]["choices"][0]
        for p in task.get("predictions", ())
        if p["model_version"] == project["model_version"]
    ]
    return Offer(
        item_id=item,
        purpose=next(
            p for p in PURPOSES if keyed_digest(key, item, str(number), p) == data["labelops_key"]
        ),
        round=number,
        shown=json.dumps(on_screen[0], ensure_ascii=False) if on_screen else None,
        ref=f"{project['id']}:{task['id']}",
    )


def _checked(response: httpx.Response) -> Any:
    """Return the decoded answer; anything but a success is an error of ours."""
    asked = f"{response.request.method} {response.request.url.path}"
    if response.status_code >= 500:
        raise EndUnavailable(f"Label Studio answered {response.status_code} to {asked}")
    if not response.is_success:
        raise EndProtocolError(
            f"Label Studio answered {response.status_code} to {asked}: {shown(response.text, 200)}"
        )
    return response.json() if response.content else None
