"""What an audit has shown, in words."""

from __future__ import annotations

from labelops.errors import counted, percent

__all__ = ["clean_audits_certify", "sure"]


def sure(risk: float) -> str:
    """Say how sure: by the confidence, or by the risk where that would read 100 %.

    Examples
    --------
    >>> sure(0.04), sure(0.05 * 0.8 * 0.2**3), sure(0.05 * 0.8 * 0.2**8)
    ('96 % confidence', '99.968 % confidence', 'risk 1e-07')
    """
    said = percent(1 - risk, 4)
    return f"risk {risk:.2g}" if said[0] == ">" or said == "100 %" else f"{said} confidence"


def clean_audits_certify(needed: int) -> str:
    """Say how many more looks, all clean, certify what is named next.

    Examples
    --------
    >>> clean_audits_certify(1), clean_audits_certify(78)
    ('1 more clean audit certifies', '78 more clean audits certify')
    """
    return counted(needed, "more clean audit certifies", "more clean audits certify")
