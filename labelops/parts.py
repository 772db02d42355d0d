"""What goes wrong with a part only waits until all else is done.

A pipeline that runs every hour must not stop for one row, one source, one rule, or a labeler that
is away. A stage marks such an error as `of_a_part`, does all else, and raises it at its end; a pass
goes on with the stages that follow, and raises it at *its* end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .errors import LabelopsError, StorageError

__all__ = ["Parts", "as_a_part", "keep_or_raise"]


class Parts:
    """What went wrong with single parts, kept until all else is done.

    Attributes
    ----------
    errors : list of LabelopsError

    Examples
    --------
    >>> from labelops.errors import UsageError
    >>> parts = Parts()
    >>> for what in ("first", "second", "third"):
    ...     with parts.each():
    ...         if what != "second":
    ...             error = UsageError(f"the {what} is broken")
    ...             error.of_a_part = True
    ...             raise error
    >>> [str(error) for error in parts.errors]
    ['the first is broken', 'the third is broken']
    >>> parts.raise_first()
    Traceback (most recent call last):
    labelops.errors.UsageError: the first is broken
    the third is broken
    """

    def __init__(self) -> None:
        self.errors: list[LabelopsError] = []

    @contextmanager
    def each(self) -> Iterator[None]:
        """Keep an error of a part; raise any other."""
        try:
            yield
        except LabelopsError as error:
            self.keep(error)

    def keep(self, error: LabelopsError) -> None:
        """Keep an error of a part; raise any other."""
        if not error.of_a_part:
            raise error
        self.errors.append(error)

    def raise_first(self) -> None:
        """Raise the first error, with the others as its notes; return if there are none.

        What several stages met is said once. It is `of_rows` where all of them are.
        """
        if not self.errors:
            return
        first, *others = self.errors
        known = {str(first)}
        for other in others:
            for said in (str(other), *getattr(other, "__notes__", ())):
                if said not in known:
                    first.add_note(said)
                known.add(said)
        first.of_rows = all(error.of_rows for error in self.errors)
        self.errors = []
        raise first


def keep_or_raise(parts: Parts | None, errors: Sequence[LabelopsError]) -> None:
    """Hand errors of parts to a pass that goes on; without one, raise the first.

    Examples
    --------
    >>> from labelops.errors import EndProtocolError
    >>> parts = Parts()
    >>> keep_or_raise(parts, [EndProtocolError("a project was edited")])
    >>> parts.errors[0].of_a_part
    True
    """
    found = Parts() if parts is None else parts
    for error in errors:
        error.of_a_part = True
        found.keep(error)
    if parts is None:
        found.raise_first()


@contextmanager
def as_a_part() -> Iterator[None]:
    """Let what goes wrong inside be `of_a_part`; storage that fails never is.

    Examples
    --------
    >>> from labelops.errors import EndUnavailable
    >>> try:
    ...     with as_a_part():
    ...         raise EndUnavailable("the model does not answer")
    ... except LabelopsError as error:
    ...     error.of_a_part
    True
    """
    try:
        yield
    except StorageError:
        raise
    except LabelopsError as error:
        error.of_a_part = True
        raise
