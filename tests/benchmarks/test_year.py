"""The simulated year: its events are there, found, and rarely seen where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import year
from benchmarks.year import NEVER, SHIFT, World, days_of_certificates, days_of_closing


@pytest.fixture(scope="module")
def eventful() -> World:
    return World.drawn(30, np.random.default_rng(0), eventful=True)


def test_the_shift_makes_accepted_labels_worse(eventful: World) -> None:
    """Before it the model keeps the bound, after it it does not."""
    assert eventful.wrong[:, :SHIFT].mean() < year.ERROR < eventful.wrong[:, SHIFT:].mean()


@pytest.mark.slow
def test_certificates_come_before_the_shift_and_are_closed_after_it(eventful: World) -> None:
    """Each year certifies the good model, and random looks close it once it is bad."""
    certified = days_of_certificates(eventful.wrong[:, :SHIFT], 0.03)
    assert ((certified > 0) & (certified < SHIFT)).all()
    closed = days_of_closing(eventful.wrong, 60, year.RISK)
    assert (closed >= SHIFT).mean() >= 0.9


def test_a_bad_model_is_certified_by_the_fixed_test_read_daily_only() -> None:
    """At 1.05 × the bound: 300 models, at most the allowed share and some luck, against many."""
    wrong = np.random.default_rng(1).random((300, 73, year.LOOKS)) < 1.05 * year.ERROR
    ours = (days_of_certificates(wrong, year.RISK) != NEVER).mean()
    naive = (year.days_of_naive_certificates(wrong, year.RISK) != NEVER).mean()
    assert ours <= year.RISK + 0.03
    assert naive >= 0.1


@pytest.mark.slow
def test_all_tables_are_printed(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    """The quick run ends and says how many years it took."""
    monkeypatch.setattr("sys.argv", ["year", "--years", "4", "--drift-years", "1"])
    year.main()
    printed = capsys.readouterr().out
    assert "4 years" in printed
    assert printed.count("|---") >= 3
