from dataclasses import replace

import pytest

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.dreamer import UNDER_WAY
from ffstream.errors import ConfigError
from ffstream.layer import LayerReport
from ffstream.outcome import Dreamt
from ffstream.polarity import Polarity
from ffstream.stream.events import Sleep
from ffstream.teaching import WINDOW, Teaching

NEVER = Schedule(every=None, idle=None)


def reports(*taught: float) -> list[LayerReport]:
    return [LayerReport(Polarity.POSITIVE, goodness=1.0, p_positive=0.5, taught=each) for each in taught]


@pytest.fixture
def stream(digits) -> Stream:
    """It has learned 300 digits several times, and does not sleep by itself any more."""
    stream = Stream.in_process(NetworkConfig(64, 10, (100, 100), batch=10), Schedule(every=100, idle=None))
    for _ in range(6):
        stream.feed(digits.x[:300], digits.y[:300])
    stream.sequencer.schedule = NEVER
    return stream


def taught(*shares: float, under_way: int = 1) -> Teaching:
    teaching = Teaching(under_way)
    for number, share in enumerate(shares, start=1):
        teaching.observe(number, reports(share))
    return teaching


def test_a_phase_is_over_when_its_latest_batches_taught_little():
    assert taught(0.9, 0.4, 0.2, 0.2, 0.1, 0.1).is_over(0.2, sent=6)
    assert not taught(0.9, 0.4, 0.2, 0.2, 0.1, 0.1).is_over(0.2, sent=5)
    assert not taught(0.0, 0.0, 0.0, 0.0).is_over(0.2, sent=4), "too short to say"
    assert not taught(*[0.0] * 50).is_over(None, sent=50)


def test_layers_count_alike():
    one, other = Teaching(1), Teaching(1)
    one.observe(1, reports(0.2, 0.6))
    other.observe(1, reports(0.4))
    assert one.latest()[0] == pytest.approx(other.latest()[0])


def test_what_came_back_early_changes_no_decision():
    shares = [0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9]
    assert not taught(*shares, under_way=4).is_over(0.1, sent=8)
    assert [taught(*shares[:back], under_way=4).is_over(0.1, sent=9) for back in (6, 7, 8, 9)] == [True] * 4


def test_it_goes_on_from_what_was_kept():
    shares = [index / 30 for index in range(30)]
    whole, again = taught(*shares, under_way=3), Teaching(3, taught(*shares[:20], under_way=3).latest())
    for number, share in enumerate(shares[20:], start=21):
        again.observe(number, reports(share))
    for sent in range(29, 33):
        assert [whole.is_over(at / 30, sent) for at in range(31)] == [again.is_over(at / 30, sent) for at in range(31)]


def test_a_sleep_ends_when_its_dreams_teach_no_more(stream):
    def dreams(enough: float | None) -> list[Dreamt]:
        stream.sequencer.schedule = replace(NEVER, enough=enough)
        stream.sequencer.request_sleep(300)
        return [outcome for outcome in stream.settle() if isinstance(outcome, Dreamt)]

    ended = dreams(0.6)
    assert WINDOW <= len(ended) < 30
    teaching = Teaching(UNDER_WAY)
    for outcome in ended:
        assert not teaching.is_over(0.6, outcome.step - 1), "it could have ended earlier"
        teaching.observe(outcome.step, outcome.reports)
    assert teaching.is_over(0.6, len(ended))
    assert len(dreams(None)) == 30


def test_a_day_ends_when_its_frames_teach_no_more(stream, digits):
    began = stream.journal.last_seq
    stream.sequencer.schedule = replace(NEVER, enough=0.6)
    stream.feed(digits.x[:300], digits.y[:300])
    planned = [each.event for each in stream.journal.events(began, limit=1000) if isinstance(each.event, Sleep)]
    assert planned
    assert {sleep.reason for sleep in planned} == {"enough"}
    assert all(sleep.steps >= WINDOW for sleep in planned)


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.5, float("nan")])
def test_enough_is_a_share(wrong):
    with pytest.raises(ConfigError, match="enough: got"):
        Schedule(enough=wrong)
