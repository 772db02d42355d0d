"""The projects of a label set: which plan row goes where, and are they still as we made them.

One label set has up to four projects, because what an annotator sees is a property of the
project: pre-labels or not, and no earlier label for a second look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labelops.errors import EndProtocolError
from labelops.schema import Schema

from .api import Api, Json, integer, text
from .config import CONTROL, Known, asks, config_for, read_config, widened

__all__ = ["KINDS", "MODEL_VERSION", "Project", "Projects", "kind_of"]

KINDS = ("label", "blind", "review", "audit")
"""With pre-labels; without (blind share, calibration, gold mixed, so that nobody can tell
which); second looks; random audits."""

MODEL_VERSION = "labelops"
"""A project shows the predictions of one model version only. Which labeler version really
proposed a value is in the task, so that older pre-labels stay visible when it changes."""

INSTRUCTION = (
    "<p>Please label by <b>Label All Tasks</b> only: it brings you one item after the other. "
    "Do not open items from the list. An item opened there shows what your colleagues answered, "
    "and an answer counts as your own only if you gave it without seeing theirs.</p>"
)
"""Shown when somebody begins to label. The open-source edition hands everybody's answers to
every member who opens a task from the list, whatever a project's settings say, so people are
asked not to. It may be reworded by hand: nothing depends on it."""

PROPOSED = (
    "<p>An answer that is selected already is a model's proposal. It may be wrong: read the item "
    "first, then submit the answer or choose another.</p>"
)
"""Said as well where proposals are shown, since nothing on the page tells them from answers."""


def kind_of(purpose: str, shows: bool) -> str:
    """Return the kind of project for a plan row.

    Examples
    --------
    >>> kind_of("label", True), kind_of("gold", True), kind_of("audit", False)
    ('label', 'blind', 'audit')
    """
    if purpose in ("review", "audit"):
        return purpose
    return "label" if purpose == "label" and shows else "blind"


@dataclass(frozen=True, slots=True)
class Project:
    """A project as found on the server.

    Parameters
    ----------
    id : int
    kind : str
        One of `KINDS`.
    title : str
    overlap : int
        How many annotators a newly imported task gets.
    tasks, answers : int
        How many it holds.
    known : tuple of Known
        The schemas its configuration remembers, oldest first.
    made : str
        When, to the microsecond: tells it from the project of that number on another server,
        however the server is addressed.
    config : str
        What people see, as XML.
    broken : str
        How somebody edited it, so that its answers cannot be understood, and what to do.
    """

    id: int
    kind: str
    title: str
    overlap: int
    tasks: int
    answers: int
    known: tuple[Known, ...]
    made: str
    config: str
    broken: str = ""


class Projects:
    """Finds, makes and updates the projects of one label set.

    Parameters
    ----------
    api : Api
    label_set : str
    namespace : str
        Tells workspaces apart that use one server and one label set name; goes into titles.
    """

    def __init__(self, api: Api, label_set: str, namespace: str = "") -> None:
        self._api = api
        self._stem = f"labelops {label_set}" + (f" [{namespace}]" if namespace else "")

    def title(self, kind: str) -> str:
        """Return the title of the project of a kind."""
        return f"{self._stem} · {kind}"

    def url(self, project: Project | None = None) -> str:
        """Return where people go to label."""
        base = f"{self._api.url}/projects"
        return f"{base}/{project.id}/data" if project else base

    def find(self) -> list[Project]:
        """Return all projects of the label set, oldest first of each kind.

        There is more than one of a kind only if two senders made the first at the same
        moment. All are read; the oldest is added to, and `ensure` clears away the empty ones.
        Those that somebody edited are among them, and say how.
        """
        kinds = {self.title(kind): kind for kind in KINDS}
        found = [r for r in self._listed() if text(r, "title") in kinds]
        projects = [self._read(r, kinds[text(r, "title")]) for r in found]
        return sorted(projects, key=lambda p: (KINDS.index(p.kind), p.id))

    def ensure(
        self, kind: str, schema: Schema, overlap: int, there: Sequence[Project]
    ) -> list[Project]:
        """Return the projects of a kind for this schema, the one to add to first.

        They are found and updated; the first is made if there is none. An empty one beside
        it is deleted: its sender was slower than another, and died or was refused before it
        could take its own project back.

        Parameters
        ----------
        kind : str
        schema : Schema
        overlap : int
            For a new project, how many annotators most items get.
        there : sequence of Project
            What `find` found.

        Returns
        -------
        list of Project
            Oldest first, never empty.

        Raises
        ------
        SchemaError
            If answers would lose their class.
        """
        mine = [p for p in there if p.kind == kind]
        if not mine:
            return [self._make(kind, schema, overlap)]
        if len(mine) > 1:
            mine = self._cleared(kind)
        for project in mine:
            if project.known[-1].digest != schema.digest or not asks(project.config, schema):
                self._update(project, schema)
        return mine

    def _cleared(self, kind: str) -> list[Project]:
        """Delete the empty projects beside the oldest; return the others, as they are now."""
        oldest, *extras = [p for p in self.find() if p.kind == kind]
        for extra in extras:
            if not extra.tasks:
                self._api.delete(f"/api/projects/{extra.id}/")
        return [oldest, *(p for p in extras if p.tasks)]

    def count(self, project: Project) -> int:
        """Return how many tasks a project holds now."""
        path = f"/api/projects/{project.id}/"
        return integer(self._api.record(self._api.get(path), f"GET {path}"), "task_number")

    def _listed(self) -> list[Json]:
        page, found = 1, []
        while True:
            params = {"title": self._stem, "page_size": 100, "page": page}
            answer = self._api.record(self._api.get("/api/projects/", params), "GET /api/projects")
            found += self._api.records(answer.get("results"), "GET /api/projects")
            if not answer.get("next"):
                return found
            page += 1

    def _read(self, record: Json, kind: str) -> Project:
        identity, title = integer(record, "id"), text(record, "title")
        where = f"project {title!r} ({self._api.url}/projects/{identity}/settings/labeling)"
        config, known, broken = "", tuple[Known, ...](), ""
        try:
            config = text(record, "label_config")
            known = read_config(config, where)
        except EndProtocolError as error:
            broken = str(error)
        return Project(
            id=identity,
            kind=kind,
            title=title,
            overlap=integer(record, "maximum_annotations"),
            tasks=integer(record, "task_number"),
            answers=integer(record, "total_annotations_number"),
            known=known,
            made=text(record, "created_at"),
            config=config,
            broken=broken,
        )

    def _make(self, kind: str, schema: Schema, overlap: int) -> Project:
        made = self._api.send("POST", "/api/projects/", self._settings(kind, schema, overlap))
        mine = integer(self._api.record(made, "POST /api/projects"), "id")
        all_of_kind = [p for p in self.find() if p.kind == kind]
        if not all_of_kind:
            raise EndProtocolError(
                f"Label Studio made project {mine} ({self.title(kind)!r}) but does not list it; "
                "can the token's user see it?"
            )
        if all_of_kind[0].id != mine:
            # Somebody was faster; ours is empty, so nobody misses it.
            self._api.delete(f"/api/projects/{mine}/")
        return all_of_kind[0]

    def _settings(self, kind: str, schema: Schema, overlap: int) -> Json:
        return {
            "title": self.title(kind),
            "description": f"Made by labelops for label set {schema.name!r}. Tasks come and go "
            "by themselves; please leave title and labeling interface as they are.",
            "label_config": config_for(schema),
            "expert_instruction": INSTRUCTION + PROPOSED * (kind == "label"),
            "show_instruction": False,  # A dialog over the first item; they open it themselves.
            "sampling": "Sequential sampling",
            "maximum_annotations": overlap,
            "skip_queue": "REQUEUE_FOR_OTHERS",
            "show_skip_button": True,
            "enable_empty_annotation": False,
            "show_annotation_history": False,
            "show_collab_predictions": kind == "label",
            "evaluate_predictions_automatically": False,
            "model_version": MODEL_VERSION,
        }

    def _update(self, project: Project, schema: Schema) -> None:
        answers = self._answered(project) if project.answers else {}
        widened(project.known, schema, answers, f"project {project.title!r}")
        changes = {"label_config": config_for(schema, project.known)}
        self._api.send("PATCH", f"/api/projects/{project.id}/", changes)

    def _answered(self, project: Project) -> dict[str, int]:
        """Return how many answers name each class, drafts included, as the server counts them."""
        path = f"/api/projects/{project.id}/summary/"
        found = self._api.record(self._api.get(path), f"GET {path}")
        counts: dict[str, int] = {}
        for part in ("created_labels", "created_labels_drafts"):
            by_control = found.get(part)
            named = by_control.get(CONTROL) if isinstance(by_control, dict) else None
            for name, count in (named if isinstance(named, dict) else {}).items():
                counts[str(name)] = counts.get(str(name), 0) + int(count)
        return counts
