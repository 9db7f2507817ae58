"""Convolutional nets, learned by Forward-Forward and by backpropagation."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.convolutional import BACKPROP, CONSTANTS, SCODELLARO, TASKS, main, run_of
from benchmarks.ledger import key_of
from benchmarks.passes import measure
from benchmarks.runs import Run
from ffstream import Field, FieldsConfig

FIELDS = FieldsConfig(8, 1, (Field(4, 6, 3, 2, shared=True), Field(4, 4, 3, shared=True), Field(1, 20, 4)))
SHAPE = {"fields": FIELDS.to_dict(), "held": 100, "fit": 100}


@pytest.mark.parametrize("learner", ["local backprop", "ffstream"])
def test_a_stopped_run_goes_on_and_ends_like_one_that_was_not(tmp_path, learner):
    constants = BACKPROP | {"rate": 0.01} if learner == "local backprop" else CONSTANTS | {"label_strength": 0.5}
    run = Run(learner, constants | SHAPE, FIELDS.units, batch=25, passes=2, frames=500)
    whole = measure(tmp_path / "whole", run, "digits")
    measure(tmp_path / "stopped", replace(run, passes=1), "digits")
    resumed = measure(tmp_path / "stopped", run, "digits")
    assert resumed.looks[-1] == whole.looks[-1]
    assert whole.looks[1]["learned"] < whole.looks[0]["learned"] < 0.9


@pytest.mark.parametrize("name", TASKS)
def test_every_place_of_a_picture_is_seen_and_all_of_the_map_at_last(name):
    fields = TASKS[name].fields
    assert fields.inputs in (28 * 28, 3 * 32 * 32)
    for index, field in enumerate(fields.layers):
        side = fields.map_below(index)[0]
        assert set(range(side**2)) <= set(field.seen(side).flatten().tolist())
    assert [field.shared for field in fields.layers] == [True, True, False]


def test_shared_weights_have_a_fingerprint_of_their_own():
    run = run_of("forward-forward", TASKS["mnist"], "test", 1, 0)
    own = [{name: each for name, each in layer.items() if name != "shared"} for layer in run.constants["fields"]["layers"]]
    alike = replace(run, constants=run.constants | {"fields": run.constants["fields"] | {"layers": own}})
    assert not np.allclose(*(key_of(each.settings())[1][:4] for each in (run, alike)), rtol=0.1)


class Measuring:
    """A ledger that keeps nothing."""

    def __init__(self, folder):
        self.folder = folder

    def complete(self, runs):
        self.runs = list(runs)

    def __getitem__(self, run):
        return measure(self.folder, self.runs[self.runs.index(run)], "digits")


def test_both_are_measured_and_set_beside_what_is_published(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib", reason="comes with the extra bench")
    monkeypatch.setitem(TASKS, "mnist", replace(TASKS["mnist"], fields=FIELDS))
    monkeypatch.setattr("benchmarks.convolutional.open_ledger", lambda given, name: Measuring(given.checkpoints / name))
    main(["--results", str(tmp_path), "--checkpoints", str(tmp_path), "--passes", "1", "--held", "50", "--frames", "300"])
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["name"], said["target"], said["met"]) == ("convolutional", 0.84, False)
    table = (tmp_path / "convolutional-mnist-test-300.md").read_text()
    assert "| forward-forward | shortlist |" in table
    assert "| backprop | backprop |" in table
    assert f"| {SCODELLARO} | as published |  |  | 0.84 |" in table
    assert (tmp_path / "convolutional-mnist-test-300.png").stat().st_size > 10_000


def test_other_constants_are_measured_and_leave_the_table_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(TASKS, "mnist", replace(TASKS["mnist"], fields=FIELDS))
    ledger = Measuring(tmp_path / "checkpoints")
    monkeypatch.setattr("benchmarks.convolutional.open_ledger", lambda given, name: ledger)
    asked = ["--results", str(tmp_path), "--passes", "1", "--held", "50", "--frames", "100", "--systems", "forward-forward"]
    main([*asked, "--constants", '{"label_strength": 0.25}'])
    (run,) = ledger.runs
    assert run.constants["label_strength"] == 0.25
    assert not json.loads(capsys.readouterr().out.splitlines()[-1])["met"]
    assert not list(tmp_path.glob("*.md"))
