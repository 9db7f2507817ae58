"""More frames than can be learned, from clients that do not wait; ``make bench-overload`` lasts longer and looks at memory."""

from pathlib import Path

import pytest

from benchmarks.overload import overload

SECONDS = 12


@pytest.mark.timeout(900)
def test_too_many_frames_are_refused_and_those_accepted_are_learned_as_if_fed_slowly(tmp_path: Path) -> None:
    outcome = overload(tmp_path / "data", SECONDS)
    outcome.require_answers()
    outcome.require_remains(tmp_path / "data")
    assert outcome.frames == 100 * outcome.answers.statuses[202]
