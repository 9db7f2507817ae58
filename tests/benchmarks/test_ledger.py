import json
from dataclasses import replace

import pytest

from benchmarks.ledger import SAME, Ledger
from benchmarks.runs import Figures, Run, execute

RUN = Run("ffstream", {"phase": 2}, units=(20, 20), batch=50, frames=600)


def test_what_is_recorded_is_not_measured_again(tmp_path):
    first = Ledger(tmp_path / "ledger.jsonl", "digits")
    first.complete([RUN, RUN])
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1

    second = Ledger(tmp_path / "ledger.jsonl", "digits", measure=unwanted)
    second.complete([RUN])
    assert second[RUN] == first[RUN]


def test_a_changed_constant_is_another_run(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl", "digits")
    assert ledger.settings(RUN) != ledger.settings(Run("ffstream", {"phase": 3}, units=(20, 20), batch=50, frames=600))


def test_other_data_is_another_run(tmp_path, digits):
    import numpy as np

    np.savez(tmp_path / "turned.npz", x=digits.x[::-1], y=digits.y[::-1], x_test=digits.x_held, y_test=digits.y_held)
    turned = Ledger(tmp_path / "ledger.jsonl", str(tmp_path / "turned.npz"))
    assert turned.settings(RUN) != Ledger(tmp_path / "ledger.jsonl", "digits").settings(RUN)


@pytest.mark.parametrize(("moved", "stands"), [(0.1 * SAME, True), (10 * SAME, False)])
def test_a_record_of_another_processor_stands_and_one_of_another_library_does_not(tmp_path, moved, stands):
    path = tmp_path / "ledger.jsonl"
    settings = Ledger(path, "digits").settings(RUN)
    settings["fingerprint"] = [number + moved for number in settings["fingerprint"]]
    path.write_text(json.dumps({"settings": settings, "figures": {"seconds": 7.0}}) + "\n")
    assert (RUN in Ledger(path, "digits")) is stands


def test_the_fingerprint_tells_a_constant_that_has_changed():
    seen = [Run("ffstream", {"phase": 10, "damping": damping}).settings()["fingerprint"] for damping in (0.2, 0.21)]
    assert max(abs(one - other) for one, other in zip(*seen, strict=True)) > 3 * SAME


def test_fresh_measures_again(tmp_path):
    path = tmp_path / "ledger.jsonl"
    settings = Ledger(path, "digits").settings(RUN)
    path.write_text(json.dumps({"settings": settings, "figures": {"seconds": 7.0}}) + "\n")
    assert RUN in Ledger(path, "digits")
    assert RUN not in Ledger(path, "digits", fresh=True)


def test_the_furthest_of_runs_that_differ_in_their_passes_only(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl", "digits", measure=counted)
    assert ledger.furthest(RUN) is None
    ledger.complete([replace(RUN, passes=count) for count in (9, 10, 2)] + [replace(RUN, passes=30, seed=1)])
    assert Ledger(tmp_path / "ledger.jsonl", "digits").furthest(RUN).seconds == 10


def test_figures_say_what_they_are_of():
    figures = execute(RUN, "digits")
    assert figures.prequential.keys() == figures.curve.keys() == {"live", "averaged", "shortlist"}
    assert figures.held_out[0].keys() == {"one_pass", "goodness", "shortlist"}
    again = execute(RUN, "digits")
    assert (figures.prequential, figures.held_out) == (again.prequential, again.held_out)


def unwanted(run, data):
    pytest.fail("measured again")


def counted(run, data):
    return Figures(held_out=[{}], seconds=run.passes)
