"""One life of a stream, drawn from a seed: what clients do, what happens to it, and how it must end."""

import logging
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ffstream import PLAIN, LayerConfig, Method, NetworkConfig, Schedule, Stream, VideoConfig
from ffstream.actors.chain import HUNG_AFTER, PULSE_EVERY, RayChain
from ffstream.actors.crew import Crew
from ffstream.checks.law import require
from ffstream.drift import REACTIONS
from ffstream.errors import FFStreamError
from ffstream.stream.events import Drift
from ffstream.stream.sqlite_journal import SqliteJournal
from ffstream.stream.stream import JOURNAL, SNAPSHOTS
from tests.simulation.clients import CLASSES, INPUTS, SYMBOLS, Clients
from tests.simulation.cluster import Clock, Cluster
from tests.simulation.disk import Crash, Disk, Fate, Fault, no_fault
from tests.simulation.history import History
from tests.simulation.truth import Request, Witness, as_float, check_events, check_journal, check_network

MOST = 7
"""Labels that a network may grow to know, in the lives in which it may grow."""

TOLD = 4
"""One life in so many is that of a network that learns sequences of symbols, and generates its negatives itself."""

LENGTH = 25
TRIES = 200
"""Things that happen in a life, and turns within which it must come to rest afterwards; chains that may be opened in it."""

RECURRENT_EVERY = 20
VIDEOS = (
    VideoConfig(ticks=3, read=(2, 3)),
    VideoConfig(ticks=2, clip=2, read=(1, 2), lanes=1),
    VideoConfig(ticks=2, read=(1, 1), lanes=3, learn=(2, 2)),
)
"""One network in so many is recurrent, in one of these ways."""

MEMORY = next((path for path in (Path("/dev/shm"),) if path.is_dir()), None)
"""Where lives are lived: a file system in memory when there is one."""

EXPECTED = (FFStreamError, OSError)
"""What a fault may end in; any other error is one of the program."""

Act = Callable[["Life"], None]


class Life(Clients):
    """A stream over a simulated cluster and disk, its clients, and everything drawn from one generator."""

    def __init__(self, seed: int, home: Path) -> None:
        self.rng, self.starts = random.Random(seed), 0
        self.numbers = np.random.default_rng(seed)
        self.home = home
        self.clock = Clock()
        self.cluster = Cluster(self.rng, self.clock)
        self.disk = Disk(no_fault, lambda: self.cluster.inside is not None)
        self.config = self._draw_config(seed)
        self.options: dict[str, Any] = {
            "credits": self.rng.choice((1, 2, 8)),
            "publish_every": self.rng.choice((1, 3, 20)),
            "snapshot_every": self.rng.choice((None, 2, 5, 9)),
            "snapshots_kept": self.rng.choice((1, 2, 3)),
            "label_lifetime": self.rng.choice((8, 100)),
        }
        if self.config.symbols is None and self.rng.random() < 0.5:
            self.options["max_classes"] = MOST
        self.power_safe = self.rng.random() < 0.2
        self.backlog = self.rng.choice((None, 20))
        self.requests: list[Request] = []
        self.witness = Witness()
        self.history = History()
        self.happened: Counter[str] = Counter()
        self.disturbed = False
        self.stream: Stream | None = None
        self.folder = home / "0"

    def _draw_config(self, seed: int) -> NetworkConfig:
        layer = LayerConfig() if self.rng.random() < 0.3 else PLAIN
        units = (8,) * self.rng.choice((1, 2, 2, 2, 3))
        config = NetworkConfig(inputs=INPUTS, classes=CLASSES, units=units, batch=4, memory=16, seed=seed, layer=layer)
        if seed % RECURRENT_EVERY == 0:
            return replace(config, video=VIDEOS[seed // RECURRENT_EVERY % len(VIDEOS)])
        if seed % TOLD == 0:
            return replace(config, classes=SYMBOLS, encoding="symbols", negatives="generated_symbols")
        return config

    def live(self, script: Sequence[Act] | None) -> None:
        """From the first start to the proof that all is well.

        Raises:
            AssertionError: when it is not.
        """
        self._come_up()
        for act in script or self.rng.choices(list(ACTS), list(ACTS.values()), k=LENGTH):
            self._survive(lambda act=act: act(self))
        self._end()

    def spoil(self, fate: Fate) -> None:
        """From now on operations of the disk fail when ``fate`` says so."""

        def noted(number: int) -> Fault | None:
            fault = fate(number)
            if fault is not None:
                self.disturbed = True
                self.happened["faults of the disk"] += 1
            return fault

        self.disk.fate = noted

    def _survive(self, act: Callable[[], None]) -> None:
        """Do something. A failure of the chain is answered as the service does, a crash by a new process."""
        try:
            act()
            self.witness.see(self.stream)
        except EXPECTED as error:
            require(self.disturbed, "nothing fails by itself", repr(error))
            self.happened["chains opened again"] += 1
            self._start_again()
        except Crash:
            self._come_up()

    def _start_again(self) -> None:
        for _ in range(TRIES):
            try:
                self.disturbed = False
                self.stream.start()
            except EXPECTED:
                continue
            except Crash:
                self._come_up()
            return
        raise AssertionError("the chain does not start again")

    def _come_up(self) -> None:
        """A new process on what the one before has left behind, whose actors may still have been at work for a moment."""
        self.happened["processes"] += 1
        for attempt in range(TRIES):
            self._turn_actors(20)
            self._leave()
            try:
                if attempt > 2:
                    self.disk.fate = no_fault
                self.stream = self._open()
                return
            except (*EXPECTED, Crash):
                continue
        raise AssertionError("the stream does not open")

    def _leave(self) -> None:
        """Move to a copy of the folder: what the old process still held open cannot reach it."""
        self.cluster.actors.clear()
        old, self.folder = self.folder, self.home / str(int(self.folder.name) + 1)
        if old.exists():
            shutil.copytree(old, self.folder, ignore=shutil.ignore_patterns("*-shm"))
        self.disk.abandon()

    def _open(self) -> Stream:
        journal = SqliteJournal(self.folder / JOURNAL, INPUTS, power_safe=self.power_safe)
        prune = journal.prune

        def prune_what_is_noted(*bounds: int, most: int) -> bool:
            self.history.note(journal.path)
            self.happened["steps of pruning"] += 1
            return prune(*bounds, most=self.rng.choice((3, most)))

        journal.prune = prune_what_is_noted
        snapshots = self.folder / SNAPSHOTS
        schedule = Schedule(
            every=self.rng.choice((3, 6, 12, None)),
            idle=self.rng.choice((None, 1.0)),
            cycle=self.rng.choice((0, 0, 0, 1)),
            enough=self.rng.choice((None, None, 0.95)),
        )

        crew = Crew(self.config, journal.path, snapshots)

        def open_chain(start: Any) -> RayChain:
            self.happened["starts from a snapshot" if start else "starts from nothing"] += 1
            self.starts += 1
            assert self.starts <= TRIES, "a stream does not start over for ever"
            return RayChain(crew, start)

        self.disturbed = False
        return Stream(self.config, open_chain, journal, schedule, snapshots=snapshots, clock=self.clock, **self.options)

    def turn(self) -> None:
        for _ in range(self.rng.choice((1, 2, 6))):
            self._turn_actors(self.rng.choice((0, 5, 40)))
            self.stream.step(self.rng.choice((0.0, 0.01, 1.0)), flush=self.rng.random() < 0.5)

    def _turn_actors(self, most: int) -> None:
        for _ in range(self.rng.randint(0, most)):
            self.cluster.turn()

    def ask_for_sleep(self) -> None:
        self._await(self.stream.sequencer.request_sleep(self.rng.choice((None, 3, 6))))

    def ask_for_a_snapshot(self) -> None:
        self._await(self.stream.sequencer.request_barrier("asked for"))

    def go_back(self) -> None:
        """To a snapshot that is there, or to one that never was."""
        known = [manifest.seq for manifest in self.stream.saved()]
        seq = self.rng.choice(known) if known and self.rng.random() < 0.9 else self.stream.journal.last_seq + 1
        answer = self.stream.request_restore(seq)
        self._await(answer)

    def _await(self, answer: Any) -> None:
        def note(done: Any) -> None:
            if done.exception() is None:
                self.witness.events[done.result().seq] = done.result()

        answer.add_done_callback(note)

    def notice_a_drift(self) -> None:
        seq, frames, reaction = self.stream.progress.seq, self.rng.choice((1, 5, 100)), self.rng.choice(REACTIONS)
        self._await(self.stream.sequencer.request(lambda: Drift(seq, frames, 0.1, 0.9, reaction)))

    def reschedule(self) -> None:
        self.stream.sequencer.schedule = Schedule(every=self.rng.choice((4, 20, None)), idle=self.rng.choice((None, 0.5)))

    def classify(self) -> None:
        reader = self.stream.reader
        if reader.stages:
            reader.classify(torch.from_numpy(as_float(self._frames(2))), self.rng.choice(list(Method)))

    def time_passes(self) -> None:
        self.clock.now += self.rng.choice((0.1, 3.0))

    def kill_an_actor(self) -> None:
        if self.cluster.actors:
            self.disturbed = True
            self.happened["actors killed"] += 1
            self.cluster.end(self.rng.choice(self.cluster.actors))

    def stop_an_actor(self) -> None:
        if self.cluster.actors:
            self.disturbed = True
            self.happened["actors stopped"] += 1
            self.rng.choice(self.cluster.actors).stopped = True

    def crash(self) -> None:
        raise Crash

    def close_in_order(self) -> None:
        self.stream.close()
        raise Crash

    def spoil_the_disk(self) -> None:
        """One of the next operations will fail."""
        fault = self.rng.choice(list(Fault))
        due = self.disk.count + self.rng.randint(1, self.rng.choice((5, 60)))
        self.spoil(lambda number: fault if number == due else None)

    def _end(self) -> None:
        """Nothing fails any more; keyed requests are sent until they are answered; all is learned; then the proof."""
        self.disk.fate, self.backlog = no_fault, None
        for request in self.requests:
            if request.key is not None:
                self._survive(lambda request=request: self._send(request))
        self._come_to_rest()
        self.history.note(self.folder / JOURNAL)
        check_journal(self.history, self.requests)
        check_events(self.history, self.witness)
        check_network(self.stream, self.history, self.witness, self.stream.saved())
        self.happened.update(f"{recorded.event.kind} events" for recorded in self.history.events)
        self.happened["frames"] += self.stream.journal.last_frame

    def _come_to_rest(self) -> None:
        """Also for so long that an actor that was stopped, or killed after its work was done, is noticed."""
        rested = 0.0
        for _ in range(TRIES):
            self._survive(lambda: self.stream.step(1.0, flush=True))
            rested = rested + 1.0 if self.stream.at_rest else 0.0
            if rested > HUNG_AFTER + 2 * PULSE_EVERY:
                return
            if rested:
                self._turn_actors(20)
                self.clock.now += 1.0
        raise AssertionError("a stream that is left alone comes to rest")


ACTS: dict[Act, float] = {
    Life.feed: 20,
    Life.turn: 36,
    Life.label_late: 6,
    Life.label_wrongly: 1,
    Life.retry: 6,
    Life.reuse_a_key: 1,
    Life.ask_for_sleep: 5,
    Life.ask_for_a_snapshot: 6,
    Life.go_back: 4,
    Life.notice_a_drift: 2,
    Life.reschedule: 2,
    Life.classify: 3,
    Life.time_passes: 3,
    Life.kill_an_actor: 3,
    Life.stop_an_actor: 1,
    Life.crash: 2,
    Life.close_in_order: 1,
    Life.spoil_the_disk: 6,
}
"""What happens in a life, and how often."""


@contextmanager
def quiet() -> Iterator[None]:
    """Failures are the rule here: the log is not wanted."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def live(seed: int, script: Sequence[Act] | None = None, fate: Fate = no_fault) -> Life:
    """Live the life of a seed.

    Args:
        seed: of everything that is drawn.
        script: what happens in it; drawn if not given.
        fate: of the operations of the disk.

    Raises:
        AssertionError: when a law was broken on the way or at the end.
    """
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ffstream-life-", dir=MEMORY)))
        stack.enter_context(quiet())
        life = Life(seed, home)
        stack.enter_context(life.cluster.running())
        stack.enter_context(life.disk.mounted(home))
        life.spoil(fate)
        life.live(script)
        return life
