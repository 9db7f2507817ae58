import numpy as np
import pytest

from benchmarks.learners.online import LEARNERS, make_online
from benchmarks.runs import Figures, Run
from benchmarks.tables import DOWNLOADED, MEASURED, SHIPPED, TUNED_ON, at_hand, stream
from benchmarks.tabular import TRIED, UNITS, kappa, measure, ranks, tuned

NAMES = (*LEARNERS, "backpropagation")


def constants(name):
    return TRIED[name][0] if name in TRIED else {}


@pytest.mark.parametrize("name", NAMES)
def test_a_learner_learns(name):
    run = Run(name, {**constants(name), "stream": "breast cancer"}, UNITS, batch=1, frames=300)
    figures = measure(run, "")
    assert figures.prequential["one_pass"] < 0.2
    assert figures.looks[0]["kappa"] > 0.5
    assert figures.looks[0]["rows"] == 300


@pytest.mark.parametrize("name", NAMES)
def test_predicting_does_not_learn(name):
    rows = stream("wine")
    learner = make_online(name, constants(name), UNITS, 0, rows.inputs, 3)
    x = [dict(enumerate(row)) for row in rows.x[:40].tolist()]
    for row, y in zip(x[:30], rows.y.tolist(), strict=False):
        learner.learn_one(row, y)
    before = [learner.predict_proba_one(row) for row in x[30:]]
    assert before == [learner.predict_proba_one(row) for row in x[30:]]


@pytest.mark.parametrize("name", [*MEASURED, *TUNED_ON])
def test_a_stream_is_the_same_every_time(name):
    rows = stream(name)
    again = stream.__wrapped__(name)
    assert (rows.x == again.x).all()
    assert (rows.y == again.y).all()
    assert len(np.unique(rows.y)) == rows.y.max() + 1 > 1
    assert np.isfinite(rows.x).all()


def test_what_was_downloaded_is_measured_too(tmp_path, monkeypatch):
    monkeypatch.setenv("RIVER_DATA", str(tmp_path / "none"))
    assert at_hand() == SHIPPED
    assert not (tmp_path / "none").exists()
    monkeypatch.setenv("RIVER_DATA", str(tmp_path))
    assert at_hand() == SHIPPED
    elec2 = DOWNLOADED["Elec2"]()
    monkeypatch.setattr(type(elec2), "is_downloaded", property(lambda self: self.path.exists()))  # any size will do
    elec2.path.parent.mkdir()
    rows = [f"{at}.5,{at % 7},0.1,0.2,0.3,0.4,0.5,0.6,{'UP' if at % 3 else 'DOWN'}" for at in range(20_001)]
    rows.insert(0, "date,day,period,nswprice,nswdemand,vicprice,vicdemand,transfer,class")
    elec2.path.write_text("\n".join(rows))
    assert [*at_hand()] == [*SHIPPED, "Elec2"]
    read = stream.__wrapped__("Elec2")
    assert read.x.shape == (20_000, 8)
    assert read.x[8, :2].tolist() == [8.5, 1]
    assert read.y[:5].tolist() == [0, 1, 1, 0, 1]


def test_nothing_is_tuned_on_what_is_measured():
    for measured in MEASURED:
        for other in TUNED_ON:
            one, two = stream(measured), stream(other)
            assert one.x.shape[1] != two.x.shape[1] or not np.isin(one.x[:50, 0], two.x[:50, 0]).all()

    class Ledger:
        """Stands in for one: the third setting is best."""

        asked = ()

        def complete(self, runs):
            self.asked = list(runs)

        def __getitem__(self, run):
            tried = TRIED[run.learner].index({key: value for key, value in run.constants.items() if key != "stream"})
            return Figures(prequential={"one_pass": abs(tried - 2)})

    ledger = Ledger()
    assert tuned(ledger, "backpropagation").constants == TRIED["backpropagation"][2]
    assert {run.constants["stream"] for run in ledger.asked} == set(TUNED_ON)


def test_kappa_is_1_when_right_and_0_by_chance():
    truth = np.array([0, 0, 0, 1])
    assert kappa(truth, truth) == 1
    assert kappa(truth, np.zeros(4, int)) == pytest.approx(0)
    assert kappa(truth, 1 - truth) < 0


def test_ranks_are_means_over_the_streams():
    def figures(error):
        return [Figures(prequential={"one_pass": error})]

    first, *others = MEASURED
    found = {
        "always second": {name: figures(0.2) for name in MEASURED},
        "once first": {first: figures(0.1)} | {name: figures(0.3) for name in others},
        "once third": {first: figures(0.3)} | {name: figures(0.1) for name in others},
    }
    n = len(MEASURED)
    assert ranks(found) == {
        "always second": 2.0,
        "once first": pytest.approx((1 + 3 * (n - 1)) / n),
        "once third": pytest.approx((3 + n - 1) / n),
    }
