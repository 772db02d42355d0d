"""Label Studio as a queue."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, timedelta

import pandas as pd

from labelops.errors import EndError, EndProtocolError, counted, shown
from labelops.ports import Objects, Received, Sent
from labelops.schema import Schema
from labelops.tables import PLAN, check

from .answers import Seen, VoteRow, moment, votes_frame, votes_of
from .api import Api, Json, condition, integer, text
from .cursor import Place, Where, read_cursor, write_cursor
from .offers import Row, Task, batches, known_tasks, rows_of
from .projects import Project, Projects
from .uploads import shown_items

__all__ = ["SIMULATED_DOMAIN", "LabelStudioQueue", "annotator_named"]

SIMULATED_DOMAIN = "@labelops.invalid"
"""Accounts that labelops makes for simulated annotators; `.invalid` is nobody's domain."""

_OVERLAP = timedelta(seconds=120)
"""How far a reading reaches back behind the last one: changes may become visible after newer
ones, and a known vote said again changes nothing."""

_log = logging.getLogger(__name__)


def annotator_named(email: str) -> str:
    """Return how votes name the user with this address.

    Examples
    --------
    >>> annotator_named("Ann@example.org"), annotator_named("ann1@labelops.invalid")
    ('human:ann@example.org', 'human:ann1')
    """
    return "human:" + email.lower().removesuffix(SIMULATED_DOMAIN)


class LabelStudioQueue:
    """People label in a Label Studio server (open source, tested with 1.23.2).

    A label set has up to four projects (see `projects`); a plan row is a task that carries
    its own key in its data, so nothing depends on order. Sending looks up the keys first and
    imports what is missing; whatever died in between, the next send completes it.

    Parameters
    ----------
    url : str
        The server's address.
    api_key : str
        An access token: a personal access token, or a legacy one.
    label_set : str
        The label set's name, part of the projects' titles.
    key : bytes
        The workspace's secret key: what tasks must not say aloud is digested with it.
    namespace : str
        Tells workspaces apart that use one server and one label set name.
    timeout : float
        Seconds to wait for one answer.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        label_set: str,
        *,
        key: bytes,
        namespace: str = "",
        timeout: float = 30.0,
    ) -> None:
        self.name = f"label-studio/{label_set}" + (f"/{namespace}" if namespace else "")
        self._api = Api(url, api_key, timeout)
        self._key = key
        self._projects = Projects(self._api, label_set, namespace)

    @property
    def place(self) -> str:
        """The server's address."""
        return self._api.url

    def __repr__(self) -> str:
        """Name the queue without its token."""
        return f"LabelStudioQueue({self.name!r}, url={self._api.url!r})"

    def send(
        self, plan: pd.DataFrame, items: pd.DataFrame, schema: Schema, *, payloads: Objects | None
    ) -> Sent:
        """Offer every plan row's item, once.

        Raises
        ------
        EndError
            If the server is away, slow, or refuses.
        SchemaError
            If answers would lose their class by a change of the schema.
        NotFoundError
            If a plan row's item is not among `items`.
        """
        rows = rows_of(check(PLAN, plan), self._key)
        with self._api.session():
            return self._send(rows, items, schema, payloads)

    def retract(self, plan: pd.DataFrame) -> None:
        """Offer these plan rows to nobody any more.

        A task that nobody has answered is deleted; another is closed and keeps its answers, with
        what it shows. Sending the row again offers it again.

        Raises
        ------
        EndError
            If the server is away, slow, refuses, or a project was edited by hand.
        """
        keys = [row.key for row in rows_of(check(PLAN, plan), self._key)]
        with self._api.session():
            known = known_tasks(self._api, self._projects.find(), keys)
            for task in (task for copies in known.values() for task in copies):
                if not task.touched:
                    self._api.delete(f"/api/tasks/{task.id}/")
                elif not task.closed:
                    change = {"overlap": max(task.answers, 1), "is_labeled": True}
                    self._api.send("PATCH", f"/api/tasks/{task.id}/", change)

    def _send(
        self, rows: Sequence[Row], items: pd.DataFrame, schema: Schema, payloads: Objects | None
    ) -> Sent:
        there = self._projects.find()
        broken = {project.kind: project.broken for project in there if project.broken}
        rows = [row for row in rows if row.kind not in broken]
        offered = 0
        for kind in dict.fromkeys(row.kind for row in rows):
            mine = [row for row in rows if row.kind == kind]
            offered += self._send_kind(kind, mine, items, schema, payloads, there)
        url = self._projects.url()
        return Sent(offered, len(rows) - offered, url, tuple(broken.values()))

    def _send_kind(
        self,
        kind: str,
        rows: Sequence[Row],
        items: pd.DataFrame,
        schema: Schema,
        payloads: Objects | None,
        there: Sequence[Project],
    ) -> int:
        usual = Counter(row.annotators for row in rows).most_common(1)[0][0]
        same = self._projects.ensure(kind, schema, usual, there)
        known = known_tasks(self._api, same, [row.key for row in rows])
        self._repair(rows, known)
        fresh = [row for row in {r.key: r for r in rows}.values() if row.key not in known]
        if fresh:
            shows = shown_items(self._api, same[0], fresh, items, payloads)
            people = self._people() if any(row.exclude for row in fresh) else {}
            self._import(same[0], fresh, shows, schema, people)
        return len(fresh)

    def _import(
        self,
        project: Project,
        rows: Sequence[Row],
        shows: Mapping[str, str],
        schema: Schema,
        people: Mapping[str, int],
    ) -> None:
        path = f"/api/projects/{project.id}/import"
        done = 0
        for batch in batches(rows, shows, schema, people, self._key):
            try:
                answer = self._api.send("POST", path, batch, {"return_task_ids": "true"})
            except EndError as error:
                raise _with_the_rest(error, done, len(rows)) from error
            ids = self._api.record(answer, f"POST {path}").get("task_ids")
            if not isinstance(ids, list) or len(ids) != len(batch):
                raise EndProtocolError(
                    f"Label Studio: an import of {len(batch)} tasks answered {shown(ids)}; only "
                    "servers that import at once are supported"
                )
            done += len(batch)
            _log.info("%s: %d of %d offered", project.title, done, len(rows))
        if any(who in people for row in rows for who in row.exclude):
            self._recount(project)
        crowded = self._projects.count(project) != project.tasks + done
        odd = [r.key for r in rows if crowded or r.annotators != project.overlap]
        if odd:
            # Asked again rather than matched by position: never rely on order. If more came
            # than we sent, another sender was at work, and one of two copies goes.
            filled = dataclasses.replace(project, tasks=project.tasks + done)
            self._repair(rows, known_tasks(self._api, [filled], odd))

    def _recount(self, project: Project) -> None:
        """Make the server count again who has answered: an import counts skips as answers."""
        path = f"/api/projects/{project.id}/"
        for rule in ("REQUEUE_FOR_ME", "REQUEUE_FOR_OTHERS"):
            self._api.send("PATCH", path, {"skip_queue": rule})

    def _repair(self, rows: Sequence[Row], known: Mapping[str, Sequence[Task]]) -> None:
        """Finish what a send that died left undone: extra copies, overlap, closed too early."""
        for row in rows:
            copies = known.get(row.key, ())
            for extra in copies[1:]:
                if not extra.touched:
                    self._api.delete(f"/api/tasks/{extra.id}/")
            for task in copies[:1]:
                closed = task.answers >= row.annotators
                if task.overlap != row.annotators or task.closed != closed:
                    change = {"overlap": row.annotators, "is_labeled": closed}
                    self._api.send("PATCH", f"/api/tasks/{task.id}/", change)

    def _users(self) -> list[Json]:
        return self._api.records(self._api.get("/api/users/"), "GET /api/users")

    def _people(self) -> dict[str, int]:
        return {annotator_named(text(u, "email")): integer(u, "id") for u in self._users()}

    def _namer(self) -> Callable[[int], str]:
        """Return who a user is, asking the server when somebody unknown comes up."""
        names: dict[int, str] = {}

        def named(user: int) -> str:
            if user not in names:
                names.update({number: who for who, number in self._people().items()})
                # An account that was deleted since.
                names.setdefault(user, f"human:user-{user}")
            return names[user]

        return named

    def receive(self, since: str | None = None) -> Received:
        """Return answers changed since a cursor (all of them without one).

        Deleting an answer is noticed; deleting a whole task or project is not taken for
        deleting the votes that were already received from it.

        Raises
        ------
        EndError
            If the server is away, slow, or refuses.
        UsageError
            If the cursor is not one of this queue's.
        """
        before = read_cursor(since)
        with self._api.session():
            return self._receive(before)

    def _receive(self, before: Mapping[Where, Place]) -> Received:
        rejected: list[str] = []
        rows: list[VoteRow] = []
        # Those of projects that are not here stay: they may be on another server, of before.
        places = dict(before)
        named = self._namer()
        there = self._projects.find()
        for project in there:
            if project.broken:
                continue
            change = self._api.newest_change(project.id) if project.tasks else None
            if change is None:
                continue
            where = Where(project.id, project.made)
            place = before.get(where)
            seen = place.seen if place else frozenset()
            tasks = self._changed(project, place)
            found, seen = self._read(project, tasks, seen, named, rejected)
            rows += found
            places[where] = Place(change, seen)
        for line in rejected:
            _log.warning("%s: %s", self.name, line)
        broken = tuple(project.broken for project in there if project.broken)
        votes = votes_frame(rows, self.name)
        return Received(votes, write_cursor(places), tuple(rejected), broken)

    def _changed(self, project: Project, place: Place | None) -> Iterator[Json]:
        """Yield the tasks that may hold news."""
        if place is not None:
            start = (moment(place.since) - _OVERLAP).astimezone(UTC)
            when = start.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            news = [
                # Set by whoever answers or deletes, not by an import.
                condition("updated_by", "empty", False, "List"),
                condition("updated_at", "greater_or_equal", when, "Datetime"),
            ]
            yield from self._api.tasks(project.id, news, answers=True)
            return
        answered = [condition("total_annotations", "greater", 0, "Number")]
        skipped = [
            condition("total_annotations", "equal", 0, "Number"),
            condition("cancelled_annotations", "greater", 0, "Number"),
        ]
        # A task that moves from skipped to answered meanwhile is met twice or comes with the
        # next reading; skipped ones go first, so that it is never missed.
        yield from self._api.tasks(project.id, skipped, answers=True)
        yield from self._api.tasks(project.id, answered, answers=True)

    def _read(
        self,
        project: Project,
        tasks: Iterable[Json],
        seen: Seen,
        named: Callable[[int], str],
        rejected: list[str],
    ) -> tuple[list[VoteRow], Seen]:
        rows: list[VoteRow] = []
        known = set(seen)
        by_task: dict[int, set[tuple[int, int]]] = {}
        for pair in seen:
            by_task.setdefault(pair[0], set()).add(pair)
        for task in tasks:
            identity = integer(task, "id")
            had = frozenset(by_task.get(identity, ()))
            for user, row in votes_of(
                task,
                f"{self.name} {project.made}",
                project.known,
                named,
                had,
                rejected,
                self._key,
            ):
                rows.append(row)
                known.discard((identity, user))
                if row.status != "deleted":
                    known.add((identity, user))
        return rows, frozenset(known)


def _with_the_rest(error: EndError, done: int, rows: int) -> EndError:
    """Say as well how much was on offer by then: what is there is found by its key, and stays."""
    said = f"{counted(done)} of {counted(rows, 'new look')} were offered before"
    return type(error)(f"{error}; {said}; `labelops send` offers the rest")
