from benchmarks import competitors
from benchmarks.runs import Figures

NARROW, WIDE = (5, 5), (10, 10)


class Plain:
    """Stands in for a ledger: the middle of every ladder is best, and the first of every choice."""

    def __init__(self):
        self.asked = []

    def complete(self, runs):
        self.asked += list(runs)

    def __getitem__(self, run):
        middle = competitors.STEPPERS[run.learner][0].values[2]
        wrong = abs(run.constants["rate"] - middle) + abs(run.constants.get("adam_rate", 2e-3) - 2e-3)
        wrong += run.constants["inputs"] != "unit"
        return Figures(prequential={"live": wrong}, held_out=[{"live": wrong}])


def test_only_the_rate_of_a_costly_stepper_is_tuned_in_wide_layers():
    ledger = Plain()
    competitors.backprop(ledger, WIDE, NARROW)
    wide = [run for run in ledger.asked if run.units == WIDE]
    assert {run.constants["inputs"] for run in wide if run.learner == "adam"} == {"unit", "rms", "standard"}
    assert {run.constants["inputs"] for run in wide if run.learner == "muon"} == {"unit"}
    assert {run.constants["rate"] for run in wide if run.learner == "muon"} >= {0.0025, 0.005, 0.01, 0.02, 0.04}


def test_a_stepper_is_left_out():
    ledger = Plain()
    assert not any("muon" in name for name in competitors.backprop(ledger, WIDE, NARROW, without=["muon"]))
    assert {run.learner for run in ledger.asked} == {"adam", "sgd"}


def test_one_setting_that_is_best_for_both_is_one_competitor():
    assert len(competitors.backprop(Plain(), NARROW, NARROW)) == len(competitors.STEPPERS) * len(competitors.DECAYS)


def test_competitors_are_tuned_on_validation_data_only():
    ledger = Plain()
    competitors.backprop(ledger, WIDE, NARROW)
    assert {run.part for run in ledger.asked} == {"validation"}
