"""Mixed load on a real service, for as long as one likes, and what of it grows.

``python -m benchmarks.soak --minutes 30`` (or ``make bench-soak``). Frames come over HTTP and over a WebSocket, some of them
without a label, which comes late; questions are asked all the while; the network sleeps by its schedule and on request, saves
itself and goes back to what it saved. Looked at meanwhile, for all processes together: resident memory, shared memory, open
descriptors, and the size of the journal. After the first fifth none may grow by more than :data:`BOUNDS` says.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import psutil
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from benchmarks.load import CHUNK, Asker, Feeders, drain, meanwhile
from benchmarks.proof import DATA, FLAGS, BrokenPromiseError, Remains, marked, require
from benchmarks.report import RESULTS, machine, table, verdict, write
from ffstream.client import Client, ClientError
from ffstream.client.calls import npy
from ffstream.stream.stream import JOURNAL
from ffstream_gateway.child import Child

FORGETTING = ("--label-lifetime", "5000", "--snapshot-every", "400", "--backlog", "2000", "--idle", "5")
"""Of ``ffstream serve``: a journal that forgets soon, and snapshots that let it."""

OFFERED = 0.5
"""Frames offered over HTTP for one that can be learned; a quarter of them come over the WebSocket besides."""

LOOK_EVERY = 1.0
SAY_EVERY = 30.0
READY_WITHIN = 120.0
"""Seconds."""

MIB = 2**20
STEADY = 5
"""The first part in so many may grow: buffers fill, heaps find their size, the journal comes to what it has to keep."""

BOUNDS = {"resident memory, MiB": 32.0, "shared memory, MiB": 16.0, "open descriptors": 32.0, "journal, MiB": 8.0}
"""What may be added after that. Resident: far less than the frames take that are learned meanwhile. Shared: published weights
go round in a store of fixed size whose pages count once they were written. Descriptors: connections come and go, two dozen at
most. Journal: its file is as large as the most that it ever had to keep, and that is more when a snapshot or a sleep takes
longer; the frames of a minute take more."""


@dataclass(frozen=True)
class Look:
    """All processes at one moment; sizes in bytes."""

    at: float
    resident: int
    shared: int
    descriptors: int
    journal: int

    def figures(self) -> dict[str, float]:
        """By the names of :data:`BOUNDS`."""
        sizes = (self.resident / MIB, self.shared / MIB, float(self.descriptors), self.journal / MIB)
        return dict(zip(BOUNDS, sizes, strict=True))


class Vitals:
    """Looks at a service again and again.

    Args:
        process: the service's.
        folder: of its journal.
    """

    def __init__(self, process: psutil.Process, folder: Path) -> None:
        self.seen: list[Look] = []
        self._process, self._folder = process, folder

    def watch(self, stop: Event) -> None:
        """Until told to stop."""
        began = time.monotonic()
        while not stop.wait(LOOK_EVERY):
            self.seen.append(self._look(time.monotonic() - began))

    def _look(self, at: float) -> Look:
        """Shared memory is that of whoever has most of it: all have the same."""
        resident = descriptors = shared = 0
        for process in [self._process, *self._process.children(recursive=True)]:
            with suppress(psutil.Error, FileNotFoundError, ProcessLookupError):
                of_files = _shared(process.pid)
                resident += process.memory_info().rss - of_files
                shared = max(shared, of_files)
                descriptors += process.num_fds()
        journal = sum(path.stat().st_size for path in self._folder.glob(f"{JOURNAL}*"))
        return Look(at, resident, shared, descriptors, journal)


def _shared(pid: int) -> int:
    """Bytes of shared memory that a process has touched."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssShmem"))


def growth(seen: list[Look]) -> dict[str, float]:
    """By how much the most that was seen after the first fifth exceeds the most until then."""
    steady = seen[-1].at / STEADY
    before, after = ([each.figures() for each in seen if (each.at <= steady) is early] for early in (True, False))
    return {name: max(each[name] for each in after) - max(each[name] for each in before) for name in BOUNDS}


class Visitor:
    """A client that does now and then what others do rarely: late labels, sleeps, snapshots, restores.

    Args:
        client: of the service.
        feeders: whose frames without a label it labels.
    """

    def __init__(self, client: Client, feeders: Feeders) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._client, self._feeders, self._labelled = client, feeders, 0

    def visit(self, stop: Event) -> None:
        """Until told to stop."""
        plans: dict[Callable[[], None], float] = {self._label: 0.5, self._sleep: 11, self._snapshot: 17, self._restore: 61}
        began = time.monotonic()
        due = {plan: began + every for plan, every in plans.items()}
        while not stop.wait(0.1):
            for plan in [each for each in plans if time.monotonic() >= due[each]]:
                due[plan] = time.monotonic() + plans[plan]
                try:
                    plan()
                    self.done[plan.__name__[1:]] += 1
                except ClientError as error:
                    self.refused[f"{plan.__name__[1:]}: {error}"] += 1

    def _label(self) -> None:
        """The frames of the newest request that came without a label."""
        accepted = self._feeders.answers.accepted
        if len(accepted) == self._labelled:
            return
        self._labelled = len(accepted)
        first, number = accepted[-1]
        late = [offset for offset in range(CHUNK) if (number + offset) % 7 == 0]
        self._client.label([first + offset for offset in late], [DATA.y[(number + offset) % len(DATA.x)] for offset in late])

    def _sleep(self) -> None:
        self._client.sleep(dreams=250)

    def _snapshot(self) -> None:
        self._client.snapshot()

    def _restore(self) -> None:
        if saved := self._client.snapshots():
            self._client.restore(saved[0].seq)


class Talker:
    """A client that feeds over a WebSocket, one message after the other, and comes back when it was sent away.

    Args:
        url: of the service.
        apart: seconds between two messages.
    """

    def __init__(self, url: str, apart: float) -> None:
        self.accepted = self.refused = self.broken = 0
        self._url, self._apart, self._number = url.replace("http", "ws", 1) + "/feed", apart, 0

    def talk(self, stop: Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            try:
                self._hold(stop)
            except (WebSocketException, OSError):
                self.broken += 1
                stop.wait(1.0)

    def _hold(self, stop: Event) -> None:
        with connect(self._url, proxy=None) as socket:
            socket.recv()
            while not stop.wait(self._apart):
                x, y = marked(self._number, CHUNK)
                socket.send(npy(x) + npy(y))
                answer = orjson.loads(socket.recv(timeout=60))
                if "first" in answer:
                    self._number += CHUNK
                    self.accepted += CHUNK
                else:
                    self.refused += 1
                    stop.wait(answer.get("retry_after", 1.0))


@dataclass
class Outcome:
    """What came of it."""

    seconds: float
    learned: int
    vitals: Vitals
    feeders: Feeders
    asker: Asker
    visitor: Visitor
    talker: Talker
    broken: str = ""


def soak(folder: Path, seconds: float) -> Outcome:
    """Load a service for so long, let it learn what it has accepted, stop it, and see that its folder can be gone on from.

    Args:
        folder: of the service; it must not exist, and stays.
        seconds: of load.
    """
    with Child(["--folder", str(folder), *FLAGS, *FORGETTING]) as child, Client(child.url()) as client:
        client.ready(READY_WITHIN)
        can_learn = _can_learn(client)
        rate = OFFERED * can_learn
        feeders, asker, vitals = Feeders(client.url), Asker(client.url), Vitals(child.process, folder)
        visitor, talker = Visitor(client, feeders), Talker(client.url, apart=4 * CHUNK / rate)
        print(f"{can_learn:.0f} frames/s can be learned, {1.25 * rate:.0f} are offered", file=sys.stderr, flush=True)
        with (
            meanwhile(vitals.watch),
            meanwhile(asker.ask),
            meanwhile(visitor.visit),
            meanwhile(talker.talk),
            feeders.offering(rate),
        ):
            _wait(seconds, client, vitals)
        outcome = Outcome(seconds, 0, vitals, feeders, asker, visitor, talker)
        try:
            outcome.learned = drain(client)
        except BrokenPromiseError as error:
            outcome.broken = str(error)
    return outcome


def _can_learn(client: Client, frames: int = 2000) -> float:
    """Frames a second, roughly."""
    began = time.monotonic()
    client.feed(*marked(0, frames))
    drain(client)
    return frames / (time.monotonic() - began)


def _wait(seconds: float, client: Client, vitals: Vitals) -> None:
    """Until so many seconds are over, saying now and then how it goes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(max(end - time.monotonic(), 0.0), SAY_EVERY))
        left = max(end - time.monotonic(), 0.0)
        figures = ", ".join(f"{value:.0f} {name}" for name, value in vitals.seen[-1].figures().items())
        print(f"  {left:.0f} s to go: {client.status().frames} frames learned; {figures}", file=sys.stderr, flush=True)


def judge(outcome: Outcome, folder: Path) -> None:
    """Note what is wrong with the answers, or with what was left behind."""
    statuses = set(outcome.feeders.answers.statuses) | set(outcome.asker.statuses)
    try:
        require(not outcome.broken, outcome.broken)
        require(statuses <= {200, 202, 429, 503}, f"requests were answered with {statuses}")
        require(set(outcome.asker.statuses) == {200}, f"questions were answered with {dict(outcome.asker.statuses)}")
        with Remains(folder) as remains:
            through, last = remains.stream.progress.through, remains.journal.last_frame
            require(through == last, f"of {last} frames in the folder only {through} are learned")
    except BrokenPromiseError as error:
        outcome.broken = str(error)


def report(on: str, outcome: Outcome, grown: Mapping[str, float]) -> str:
    """Markdown."""
    rows = []
    for name, bound in BOUNDS.items():
        figures = [look.figures()[name] for look in outcome.vitals.seen]
        rows.append([name, *(f"{each:.1f}" for each in (figures[0], max(figures), figures[-1], grown[name])), f"{bound:.0f}"])
    header = ["all processes", "first", "most", "last", "growth after the first fifth", "may be"]
    visits = ", ".join(f"{number} {name}" for name, number in outcome.visitor.done.items())
    happened: dict[str, Any] = {
        "frames learned, on the branch of the end": outcome.learned,
        "`POST /feed`, by status": dict(outcome.feeders.answers.statuses),
        "`POST /classify`, by status": dict(outcome.asker.statuses),
        "visits": visits,
        "visits refused": dict(outcome.visitor.refused) or "none",
        "frames accepted over the WebSocket": outcome.talker.accepted,
        "messages refused there; connections broken": f"{outcome.talker.refused}; {outcome.talker.broken}",
        "broken promises": outcome.broken or "none",
    }
    said = f"{outcome.seconds / 60:.0f} minutes. {on}, ray {version('ray')}."
    second = table(["", ""], [[name, str(value)] for name, value in happened.items()])
    return f"# Soak\n\n{said}\n\n{table(header, rows)}\n{second}"


def main() -> int:
    """Run everything; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0, help="of load")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the table")
    told, on = parser.parse_args(), machine()
    with tempfile.TemporaryDirectory(prefix="ffstream-bench-") as home:
        outcome = soak(Path(home) / "data", 60 * told.minutes)
        judge(outcome, Path(home) / "data")
    grown = growth(outcome.vitals.seen)
    met = not outcome.broken and all(grown[name] <= bound for name, bound in BOUNDS.items())
    write(told.results / "soak.md", report(on, outcome, grown))
    first, *others = BOUNDS
    more = {name.split(",")[0].replace(" ", "_"): grown[name] for name in others}
    more |= {f"{name.split(',')[0].replace(' ', '_')}_target": BOUNDS[name] for name in others}
    verdict("soak", value=grown[first], target=BOUNDS[first], met=met, minutes=told.minutes, broken=outcome.broken, **more)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
