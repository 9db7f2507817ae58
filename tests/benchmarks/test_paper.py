"""The table of the paper's systems is what ``make results`` makes of the ledgers."""

import json

import pytest

from benchmarks import paper
from benchmarks.records import Measured, Records
from benchmarks.report import RESULTS


def run(seed, error, **settings):
    usual = {"learner": "ffstream", "constants": {}, "part": "test", "passes": 1, "seed": seed, "fingerprint": [0.5, 1.0]}
    return json.dumps({"settings": usual | settings, "figures": {"held_out": [{"goodness": error}]}})


@pytest.fixture
def records(tmp_path):
    lines = [
        run(0, 0.5),
        run(0, 0.2, fingerprint=[0.5, 1.2]),
        run(1, 0.4, fingerprint=[0.5, 1.2001]),
        run(0, 0.3, fingerprint=[0.5, 1.2]),
        run(2, 0.9, part="validation"),
        run(3, 0.9, constants={"shift": 2}),
    ]
    (tmp_path / "some.jsonl").write_text("\n".join(lines) + "\n")
    return Records(tmp_path)


def test_a_figure_is_of_the_last_settings_and_the_last_of_every_seed(records):
    found = paper.of("some", paper.error("goodness"), {"shift": None}, part="test")(records)
    assert found == Measured(pytest.approx(35), seeds=2, passes=1)
    assert str(found) == "**35.00** (1 pass, 2 seeds)"


def test_what_is_not_on_record_is_not_measured(records):
    row = paper.Row("1", "a system", "error, %", 1.5, "bench-some", paper.of("other", paper.error("goodness"), {}))
    assert row.cells(records) == ["1", "a system", "error, %", "1.50", paper.MISSING, "`make bench-some`"]


def test_the_readme_needs_its_markers(records):
    with pytest.raises(ValueError, match="expected the lines"):
        paper.in_readme("no table", records)


def test_the_tables_are_what_the_records_say():
    records = Records(RESULTS)
    assert (RESULTS / "paper.md").read_text() == paper.whole(records), "make results has not been run"
    readme = paper.README.read_text()
    assert readme == paper.in_readme(readme, records), "make results has not been run"
