import json

import torch

from ffstream import Phase, Polarity, Prequential
from ffstream.layer import LayerReport
from ffstream.outcome import Dreamt, Learned, Slept
from ffstream.progress import Progress, ProgressFold

REPORTS = {polarity: (LayerReport(polarity, 1.0, 0.5, 1.0), LayerReport(polarity, 2.0, 0.5, 1.0)) for polarity in Polarity}


def learned(seq, labels, predicted, reports=REPORTS[Polarity.POSITIVE]):
    logits = torch.nn.functional.one_hot(torch.tensor(predicted), 3).float()
    return Learned(seq, torch.arange(len(labels)), torch.tensor(labels), logits, reports)


def dreamt(seq, step, n=2):
    return Dreamt(seq, step, Polarity.NEGATIVE, torch.arange(n), torch.zeros(n, dtype=torch.int64), REPORTS[Polarity.NEGATIVE])


DAY = [
    learned(1, [0, 1, -1], [0, 2, 1]),
    learned(2, [2, 2], [2, 2]),
    dreamt(3, 1),
    dreamt(3, 2),
    Slept(3, 2),
    learned(4, [1], [1]),
]


def fold(outcomes, window=500):
    progress = ProgressFold(window)
    for outcome in outcomes:
        progress.observe(outcome)
    return progress


def test_prequential_counts_the_window_and_the_whole():
    score = Prequential(window=3)
    assert score.windowed is None
    assert score.overall is None
    score.update(torch.tensor([1, 1]), torch.tensor([0, 1]))
    assert (score.windowed, score.overall) == (0.5, 0.5)
    score.update(torch.tensor([2, 2, 2, 2]), torch.tensor([2, 0, 2, 2]))
    assert (score.windowed, score.overall) == (2 / 3, 4 / 6)
    score.update(torch.tensor([], dtype=torch.int64), torch.tensor([], dtype=torch.int64))
    assert score.frames == 6


def test_prequential_goes_on_where_it_was():
    score, again = Prequential(window=3), Prequential(window=3)
    score.update(torch.tensor([1, 1, 1, 1]), torch.tensor([1, 0, 1, 1]))
    again.restore(json.loads(json.dumps(score.to_dict())))
    for each in (score, again):
        each.update(torch.tensor([0]), torch.tensor([1]))
    assert (again.windowed, again.overall, again.frames) == (score.windowed, score.overall, score.frames) == (2 / 3, 3 / 5, 5)


def test_a_new_stream():
    assert fold([]).now == Progress()
    assert fold([]).now.accuracy is None


def test_a_day():
    now = fold(DAY).now
    assert (now.seq, now.frames, now.labelled, now.dreams, now.sleeps) == (4, 6, 5, 4, 1)
    assert now.accuracy == now.accuracy_overall == 4 / 5
    assert now.goodness == REPORTS
    assert fold(DAY, window=2).now.accuracy == 1.0


def test_frames_without_labels_are_no_evidence():
    now = fold([learned(1, [-1, -1], [0, 0], reports=())]).now
    assert (now.frames, now.labelled, now.accuracy, now.goodness) == (2, 0, None, {})


def test_it_goes_on_where_it_was():
    for cut in (1, 2, 5, 6):
        first, again = fold(DAY[:cut]), ProgressFold()
        again.restore(first.now.seq, json.loads(json.dumps(first.to_dict())))
        for outcome in DAY[cut:]:
            again.observe(outcome)
        found, expected = again.now, fold(DAY).now
        assert (found.seq, found.frames, found.labelled, found.dreams, found.sleeps) == (4, 6, 5, 4, 1), cut
        assert (found.accuracy, found.accuracy_overall) == (expected.accuracy, expected.accuracy_overall)


def test_phases():
    progress = ProgressFold()
    progress.phase(Phase.SLEEP)
    assert progress.now.phase is Phase.SLEEP
    progress.observe(dreamt(1, 1))
    assert progress.now.phase is Phase.SLEEP
    progress.observe(Slept(1, 1))
    assert progress.now.phase is Phase.WAKE
