"""What looks miss: a wrong item that is looked at and found right is not found."""

from __future__ import annotations

from scipy.special import bdtr

from labelops.errors import UsageError
from labelops.measure.given import check_share
from labelops.measure.halving import first_count

__all__ = ["check_missed", "most_found", "most_wrong", "seen_bound"]


def check_missed(missed: float) -> None:
    """Refuse a chance to miss a wrong label that is none, or that leaves nothing to be found.

    Raises
    ------
    UsageError
        Naming the chance.

    Examples
    --------
    >>> check_missed(1.0)
    Traceback (most recent call last):
    labelops.errors.UsageError: missed is 1: looks that find no error certify nothing
    """
    check_share("missed", missed)
    if missed == 1:
        raise UsageError("missed is 1: looks that find no error certify nothing")


def seen_bound(bound: float, missed: float, size: int | None = None, corrected: int = 0) -> float:
    """Give the bound for the errors that looks find, for at most `bound` to be wrong in all.

    Of all that were wrong looks miss a share, of those that are corrected as well.

    Parameters
    ----------
    bound : float
        Tolerated share of wrong items.
    missed : float in [0, 1)
        Chance that a look does not find a wrong item wrong.
    size : int, optional
        Items in the set, of which so many were found wrong and `corrected`.

    Returns
    -------
    float
        0 at least: nothing else could be certified of a set that people looked at all over.

    Examples
    --------
    >>> seen_bound(0.02, 0.05), round(seen_bound(0.02, 0.05, 1000, corrected=20), 6)
    (0.019, 0.018)
    """
    mended = corrected / size if size else 0.0
    return max((1 - missed) * bound - missed * mended, 0.0)


def most_found(tolerated: int, corrected: int, missed: float, chance: float) -> int:
    """Give how many errors looks at a whole set may find at most, for few enough to be wrong.

    With one error more than is tolerated beside those that are corrected, looks at all items find
    so few with at most this chance: each of them they miss with the same.

    Parameters
    ----------
    tolerated : int
        Errors that may be left.
    corrected : int
        Errors that were found and are not left.
    missed : float in [0, 1)
        Chance that a look does not find a wrong item wrong.
    chance : float in [0, 1)

    Returns
    -------
    int
        Corrected ones included; -1 where no looks are enough.

    Examples
    --------
    Of 40 items none may be wrong. One that is would be missed in 5 of 100 cases; seven of which
    six may be, so that four at most are found, in 4 of 1,000.

    >>> most_found(0, 0, 0.0, 0.04), most_found(0, 0, 0.05, 0.04), most_found(0, 0, 0.02, 0.04)
    (0, -1, 0)
    >>> most_found(6, 0, 0.05, 0.04), most_found(6, 3, 0.05, 0.04)
    (4, 7)
    """
    wrong = tolerated + corrected + 1
    if not missed:
        return wrong - 1

    def too_likely(found: int) -> bool:
        return bool(bdtr(float(found), wrong, 1 - missed) > chance)

    return first_count(too_likely, 0, wrong) - 1


def most_wrong(found: int, missed: float, chance: float, size: int) -> int:
    """Give how many of `size` items may be wrong, where looks at all would find so many at most.

    With each number that is larger, so few would be found with at most this chance.

    Examples
    --------
    >>> most_wrong(3, 0.0, 0.002, 613), most_wrong(3, 0.05, 0.002, 613)
    (3, 6)
    """
    if not missed:
        return found

    def too_unlikely(wrong: int) -> bool:
        return bool(bdtr(float(found), wrong, 1 - missed) <= chance)

    return first_count(too_unlikely, found, size + 1) - 1
