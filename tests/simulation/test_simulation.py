"""Thousands of lives of the stream, all of which must end well, and broken streams, whose lives must not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ffstream.actors import dreamer_actor, tick_actor
from ffstream.actors.dreamer_actor import DreamerActor
from ffstream.actors.layer_actor import LayerActor
from ffstream.actors.part import Saver
from ffstream.actors.tick_actor import TickActor
from ffstream.actors.wire import Packed, pack, unpack
from ffstream.classify import Reader
from ffstream.dreamer import Dreamer
from ffstream.message import Message
from ffstream.outcome import Saved
from ffstream.pacing import Pacer, Side
from ffstream.stage import Stage
from ffstream.stream import sqlite_journal
from ffstream.stream.archive import Archive
from ffstream.stream.events import Recorded
from ffstream.stream.lineage import Lineage
from ffstream.stream.sequencer import Sequencer
from ffstream.stream.sqlite_journal import SqliteJournal
from ffstream.stream.stream import Stream
from tests.simulation import soak
from tests.simulation.cluster import Cluster
from tests.simulation.life import RECURRENT_EVERY, live

ROOT = Path(__file__).parents[2]
LIVES = 1000
NOTICED_WITHIN = 200
"""Lives in the test, and lives of a broken stream until one must fail."""


@pytest.mark.timeout(620)
def test_every_life_ends_well() -> None:
    command = [sys.executable, "-m", "tests.simulation", str(LIVES), "--start", "0"]
    path = os.pathsep.join([str(ROOT), str(ROOT / "services")])
    run = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert f"0 of {LIVES} lives failed" in run.stdout


def test_the_same_seed_is_the_same_life() -> None:
    for seed in range(5):
        one, other = live(seed), live(seed)
        assert one.happened == other.happened
        assert one.disk.count == other.disk.count
        assert one.clock.now == other.clock.now
        assert one.witness.published == other.witness.published


def test_a_failing_seed_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(seed: int) -> None:
        raise AssertionError("a law is broken")

    monkeypatch.setattr(soak, "live", fails)
    assert soak.main(["2", "--start", "3", "--jobs", "1"]) == 1
    said = capsys.readouterr().out
    for seed in (3, 4):
        assert f"seed {seed} fails: python -m tests.simulation 1 --start {seed}\n" in said
    assert "a law is broken" in said


def applies_twice(patch: pytest.MonkeyPatch) -> None:
    """A layer that learns some messages twice."""
    learn = LayerActor.learn

    def twice(self: LayerActor, epoch: int, packed: Packed) -> None:
        learn(self, epoch, packed)
        if epoch == self.epoch and packed.values["position"].seq % 4 == 0:
            self.stage.learn(unpack(packed, Message))

    twice.__ray_concurrency_group__ = "learn"
    patch.setattr(LayerActor, "learn", twice)


def hears_the_epoch_before(patch: pytest.MonkeyPatch) -> None:
    """A layer that learns what was sent before the failure."""
    learn = LayerActor.learn

    def whatever_comes(self: LayerActor, epoch: int, packed: Packed) -> None:
        learn(self, self.epoch, packed)

    whatever_comes.__ray_concurrency_group__ = "learn"
    patch.setattr(LayerActor, "learn", whatever_comes)


def sees_the_epoch_before(patch: pytest.MonkeyPatch) -> None:
    """A recurrent layer that takes states that were sent before the failure."""
    came = TickActor._came

    def whatever_comes(self: TickActor, epoch: int, side: Side, thing: object) -> None:
        came(self, self.layer.epoch, side, thing)

    patch.setattr(TickActor, "_came", whatever_comes)


def does_not_wait_for_its_neighbours(patch: pytest.MonkeyPatch) -> None:
    """A recurrent layer that steps with the states that it saw last when new ones are not there yet."""

    def came(self: Pacer, side: Side, thing: object) -> None:
        self._came[side].append(thing)
        self._last = getattr(self, "_last", {}) | {side: thing}
        while self._came[self._needs] or (self._needs is Side.ABOVE and Side.ABOVE in self._last):
            there = self._came[self._needs].popleft() if self._came[self._needs] else self._last[Side.ABOVE]
            self._needs = self._course.send(there)

    patch.setattr(Pacer, "came", came)
    patch.setattr(Pacer, "_expect", lambda self, states, position, tick, lane: states)


def counts_the_epoch_before(patch: pytest.MonkeyPatch) -> None:
    """A dreamer that finishes what was sent before the failure."""
    learn = DreamerActor.learn

    def whatever_comes(self: DreamerActor, epoch: int, packed: Packed) -> None:
        learn(self, self.now.number, packed)

    whatever_comes.__ray_concurrency_group__ = "learn"
    patch.setattr(DreamerActor, "learn", whatever_comes)


def comes_back_with_first_weights(patch: pytest.MonkeyPatch) -> None:
    """Actors that are brought back silently, in a chain that does not notice gaps."""

    def restart(self: Cluster, actor: object) -> None:
        actor.instance = None

    def advance(self: Stage, position: tuple[int, int]) -> bool:
        self.place[0], self.place[1] = position
        return True

    patch.setattr(Cluster, "end", restart)
    patch.setattr(Stage, "advance", advance)


def forgets_to_rewind(patch: pytest.MonkeyPatch) -> None:
    """A stream that goes on after a failure as if nothing had to be learned again."""
    rewind = Sequencer.rewind
    patch.setattr(Sequencer, "rewind", lambda self, after, *then: None if self.sent else rewind(self, after, *then))


def acknowledges_too_early(patch: pytest.MonkeyPatch) -> None:
    """A journal that says yes before it has committed."""
    execute = SqliteJournal._insert

    def insert(self: SqliteJournal, *arguments: object) -> None:
        try:
            execute(self, *arguments)
        except Exception:
            return

    patch.setattr(SqliteJournal, "_insert", insert)


def forgets_keys(patch: pytest.MonkeyPatch) -> None:
    """A journal whose idempotency keys do not survive the process."""
    repeated = SqliteJournal._repeated

    def of_this_process(self: SqliteJournal, key: str | None, digest: str) -> object:
        known = self.__dict__.setdefault("known", set())
        if key in known:
            return repeated(self, key, digest)
        known.add(key)
        self._db.execute("DELETE FROM requests WHERE key = ?", (key,))
        return None

    patch.setattr(SqliteJournal, "_repeated", of_this_process)


def takes_any_late_label(patch: pytest.MonkeyPatch) -> None:
    """A journal that teaches a frame whenever a label comes for it."""
    patch.setattr(sqlite_journal, "check_late", lambda *_: None)


def teaches_the_wrong_frame(patch: pytest.MonkeyPatch) -> None:
    """A journal that mixes up which frame a late label belongs to."""
    recall = SqliteJournal.recall
    patch.setattr(SqliteJournal, "recall", lambda self, ids: recall(self, ids[::-1]))


def forgets_predictions(patch: pytest.MonkeyPatch) -> None:
    """A stream that does not write down everything that was predicted."""
    patch.setattr(Stream, "_keep_predictions", lambda self: self.journal.keep(self._predicted[1:]) or self._predicted.clear())


def forgets_what_it_would_dream_of(patch: pytest.MonkeyPatch) -> None:
    """A journal that keeps only the frames that are still to be learned."""
    patch.setattr(Archive, "_first_remembered", lambda self, root, seq: self.journal.last_frame + 1)


def forgets_what_takes_a_label(patch: pytest.MonkeyPatch) -> None:
    """A journal that keeps only the frames that are remembered."""
    make = Archive.__init__

    def without_a_lifetime(self: Archive, *arguments: object, kept: int, label_lifetime: int) -> None:
        make(self, *arguments, kept=kept, label_lifetime=0)

    patch.setattr(Archive, "__init__", without_a_lifetime)


def forgets_what_is_to_be_replayed(patch: pytest.MonkeyPatch) -> None:
    """A journal that forgets up to the newest snapshot, where it should forget up to the oldest."""
    behind = Archive._behind
    patch.setattr(Archive, "_behind", lambda self, kept: behind(self, [self.journal.last_seq]))
    patch.setattr(Archive, "_first_remembered", lambda self, root, seq: self.journal.last_frame + 1)


def does_not_go_back(patch: pytest.MonkeyPatch) -> None:
    """A stream that notes a restore and goes on as before."""
    patch.setattr(Recorded, "before", property(lambda self: self.seq - 1))


def forgets_what_it_left(patch: pytest.MonkeyPatch) -> None:
    """A stream that tells of frames on a branch that was left as if they were learned."""
    patch.setattr(Lineage, "left", lambda self, frame: False)


def saves_without_a_copy(patch: pytest.MonkeyPatch) -> None:
    """A snapshot of weights that are learned on while they are written."""
    patch.setattr(Saver, "save", lambda self, seq, state: self.waiting.put((seq, state)))


def commits_before_all_have_saved(patch: pytest.MonkeyPatch) -> None:
    """A manifest that does not wait for every part."""

    def saved(self: DreamerActor, epoch: int, seq: int, part: str, sha256: str) -> None:
        files = self.now.files.setdefault(seq, {})
        files[part] = sha256
        if len(files) == len(self.parts) - 1:
            self.now.outbox.put(pack(Saved(seq, dict(files))))

    patch.setattr(DreamerActor, "_saved", saved)


def forgets_how_often_it_slept(patch: pytest.MonkeyPatch) -> None:
    """A dreamer whose random numbers are keyed by something that no snapshot holds."""
    state = Dreamer.state
    patch.setattr(Dreamer, "state", lambda self: {name: each for name, each in state(self).items() if name != "sleeps"})


def dreams_with_the_weights_of_its_first_sleep(patch: pytest.MonkeyPatch) -> None:
    """A dreamer that generates with weights that no replay knows."""
    dreams = Dreamer.dreams

    def stale(self: Dreamer, recorded: Recorded, sleep: object, stages: object = ()) -> object:
        self.first = getattr(self, "first", stages)
        return dreams(self, recorded, sleep, self.first)

    patch.setattr(Dreamer, "dreams", stale)


def learns_from_classifying(patch: pytest.MonkeyPatch) -> None:
    """A reader that changes what it reads."""
    classify = Reader.classify

    def changes(self: Reader, *arguments: object) -> object:
        self.stages[0].layer[0, 0] += 1e-6
        return classify(self, *arguments)

    patch.setattr(Reader, "classify", changes)


def forgets_boundaries(patch: pytest.MonkeyPatch) -> None:
    """A stream that replays the right frames in other micro-batches."""
    recorded_before = Sequencer._recorded_before

    def one_frame_less(self: Sequencer) -> object:
        recorded = recorded_before(self)
        if recorded.event.kind == "wake" and recorded.event.frames > 1:
            return type(recorded)(recorded.seq, type(recorded.event)(recorded.event.first + 1, recorded.event.last, 0), 0.0)
        return recorded

    patch.setattr(Sequencer, "_recorded_before", one_frame_less)


def keeps_the_score_of_lost_events(patch: pytest.MonkeyPatch) -> None:
    """A stream that counts again what it learns again."""
    rewind = Stream._rewind

    def forgetful(self: Stream, newest: object) -> None:
        fold = getattr(self, "_fold", None)
        rewind(self, newest)
        self._fold = fold or self._fold

    patch.setattr(Stream, "_rewind", forgetful)


def keeps_the_slots_of_a_branch_that_was_left(patch: pytest.MonkeyPatch) -> None:
    """A stream that goes back to fewer labels and does not notice."""
    rewind = Sequencer.rewind
    patch.setattr(Sequencer, "rewind", lambda self, after, classes, *then: rewind(self, after, self.classes, *then))


def remembers_no_new_label(patch: pytest.MonkeyPatch) -> None:
    """A dreamer that growth does not reach."""
    patch.setattr(dreamer_actor, "change_dreamer", lambda *_: None)


def asks_for_the_labels_of_now(patch: pytest.MonkeyPatch) -> None:
    """A recurrent layer that is not told what its turn will find it grown to."""
    patch.setattr(tick_actor, "changed_network", lambda config, change: config)


RECURRENT_ONLY = (sees_the_epoch_before, does_not_wait_for_its_neighbours, asks_for_the_labels_of_now)
"""What breaks recurrent networks only, and is looked for in their lives."""


@pytest.mark.parametrize(
    "breaks",
    [
        applies_twice,
        hears_the_epoch_before,
        sees_the_epoch_before,
        does_not_wait_for_its_neighbours,
        counts_the_epoch_before,
        comes_back_with_first_weights,
        forgets_to_rewind,
        acknowledges_too_early,
        forgets_keys,
        takes_any_late_label,
        teaches_the_wrong_frame,
        forgets_predictions,
        forgets_what_it_would_dream_of,
        forgets_what_takes_a_label,
        forgets_what_is_to_be_replayed,
        does_not_go_back,
        forgets_what_it_left,
        saves_without_a_copy,
        commits_before_all_have_saved,
        forgets_how_often_it_slept,
        dreams_with_the_weights_of_its_first_sleep,
        learns_from_classifying,
        forgets_boundaries,
        keeps_the_score_of_lost_events,
        keeps_the_slots_of_a_branch_that_was_left,
        remembers_no_new_label,
        asks_for_the_labels_of_now,
    ],
)
def test_a_broken_stream_is_noticed(breaks: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch)
    every = RECURRENT_EVERY if breaks in RECURRENT_ONLY else 1
    for seed in range(0, NOTICED_WITHIN * every, every):
        try:
            live(seed)
        except Exception:
            return
    pytest.fail(f"{NOTICED_WITHIN} lives went well")
