"""What is printed of the remarks on annotators."""

from __future__ import annotations

from labelops.cli.reading import remarks_to_print
from labelops.state.people import Remark

SAID = [Remark("confuses", "a with b"), Remark("rushed", "in a second"), Remark("confuses", "c")]


def test_what_somebody_flagged_confuses_is_one_line() -> None:
    """Whose votes do not count confuses nearly everything; of others each pair tells."""
    flagged = remarks_to_print({"flagged": True, "remarks": SAID})
    assert [m.kind for m in flagged] == ["rushed", "confuses"]
    assert flagged[1].text.startswith("2 pairs of classes")
    assert remarks_to_print({"flagged": False, "remarks": SAID}) == SAID
    assert remarks_to_print({"flagged": True, "remarks": SAID[:2]}) == SAID[:2]
