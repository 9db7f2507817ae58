"""Ten times more frames than a service can learn, for minutes, from clients that do not wait when they are asked to.

Targets: frames are answered with 202 or 429 and nothing else, a 429 says when to come again, every question is answered;
memory does not grow; and what is learned in the end is what was acknowledged, each frame once, with weights that are
bit-identical to those of a network to which the same frames were fed slowly.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.load import CHUNK, Answers, Asker, Feeders, Memory, drain, meanwhile
from benchmarks.proof import FLAGS, KEEP_ALL, BrokenPromiseError, Remains, require
from benchmarks.report import hardware
from ffstream.client import Client
from ffstream_gateway.child import Child

RESULTS = Path(__file__).parent / "results"

TIMES = 10
BACKLOG = 2000
ROUNDS = 3
"""Frames offered for one that can be learned, frames that may wait, and how often so many are learned to see how fast."""

READY_WITHIN = 120.0
"""Seconds."""

MIB = 2**20
GROWTH = 32.0
"""MiB by which all processes together may grow after the first quarter of two minutes: less than the frames take that are
accepted meanwhile. Who keeps one copy of what was learned, let alone of what was refused, grows by more."""


@dataclass
class Outcome:
    """What a service made of it; rates are in frames a second."""

    seconds: float
    can_learn: float
    offered: float
    learned: float
    drained: float
    answers: Answers
    asker: Asker
    memory: Memory
    frames: int = 0
    broken: str = ""

    @property
    def growth(self) -> float:
        """MiB, after the first quarter."""
        return self.memory.growth(self.seconds / 4) / MIB

    def require_answers(self) -> None:
        """Make sure that there were the right answers and no others.

        Raises:
            BrokenPromiseError: when that is not so.
        """
        answers = self.answers
        require(set(answers.statuses) == {202, 429}, f"frames were answered with {dict(answers.statuses)}")
        require(not answers.without_retry_after, "a refusal does not say when to come again")
        require(set(self.asker.statuses) == {200}, f"questions were answered with {dict(self.asker.statuses)}")

    def require_remains(self, folder: Path) -> None:
        """Make sure that the folder holds what was acknowledged, learned as if there had been no hurry.

        Raises:
            BrokenPromiseError: when that is not so.
        """
        with Remains(folder) as remains:
            self.frames = remains.journal.last_frame
            require(remains.numbers() == self.answers.numbers(), "an acknowledged frame is lost, or there twice")
            remains.prove({})
            require(remains.digests() == remains.fed_slowly(), "the weights are not those of frames that were fed slowly")


def overload(folder: Path, seconds: float, *flags: str) -> Outcome:
    """Offer a service more than it can learn for so long, then let it learn what it has accepted and stop it.

    Args:
        folder: of the service; it must not exist, and stays.
        seconds: of load.
        flags: of ``ffstream serve``, in addition.
    """
    own = ["--folder", str(folder), *FLAGS, *KEEP_ALL, "--idle", "never", "--backlog", str(BACKLOG), *flags]
    with Child(own) as child, Client(child.url()) as client:
        client.ready(READY_WITHIN)
        feeders, asker, memory = Feeders(client.url), Asker(client.url), Memory(child.process)
        can_learn = max(_learn_backlog(client, feeders) for _ in range(ROUNDS))
        before, asked = client.status().frames, feeders.answers.statuses.total()
        with meanwhile(memory.watch), meanwhile(asker.ask), feeders.offering(TIMES * can_learn):
            time.sleep(seconds)
            rate = (client.status().frames - before) / seconds
        asked = feeders.answers.statuses.total() - asked
        emptying = time.monotonic()
        drain(client)
        drained = time.monotonic() - emptying
    return Outcome(seconds, can_learn, asked * CHUNK / seconds, rate, drained, feeders.answers, asker, memory)


def _learn_backlog(client: Client, feeders: Feeders) -> float:
    """Frames a second that are learned when as many as may wait come at once."""
    start = time.monotonic()
    feeders.offer_all(BACKLOG)
    drain(client)
    return BACKLOG / (time.monotonic() - start)


def report(outcome: Outcome, verdict: dict[str, Any]) -> str:
    """Markdown."""
    accepted, refused = (outcome.answers.statuses[status] for status in (202, 429))
    p50, p99 = verdict["classify_ms"]
    first, most = outcome.memory.seen[0][1] / MIB, max(size for _, size in outcome.memory.seen) / MIB
    rows = {
        "frames offered a second": f"{outcome.offered:.0f}",
        "frames learned a second meanwhile; before": f"{outcome.learned:.0f}; {outcome.can_learn:.0f}",
        "`POST /feed` answered with 202; 429": f"{accepted}; {refused}",
        "`POST /classify` answered with 200": f"{outcome.asker.statuses[200]}",
        "time to classify ten frames, p50; p99": f"{p50:.0f} ms; {p99:.0f} ms",
        "resident memory of all processes, first; most": f"{first:.0f} MiB; {most:.0f} MiB",
        f"by which it grew after the first quarter (at most {GROWTH:.0f} MiB)": f"{outcome.growth:.1f} MiB",
        "time to learn what waited in the end": f"{outcome.drained:.1f} s",
        "frames accepted, each learned exactly once": f"{outcome.frames}",
        "broken promises": outcome.broken or "none",
    }
    machine = f"{hardware()}, ray {version('ray')}"
    title = f"{outcome.seconds:.0f} s of {verdict['times']} times the frames that were learned; {BACKLOG} may wait. {machine}."
    return "\n".join(["# Overload", "", title, "", "| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items()), ""])


def judge(outcome: Outcome, folder: Path) -> dict[str, Any]:
    """The verdict."""
    try:
        outcome.require_answers()
        outcome.require_remains(folder)
    except BrokenPromiseError as error:
        outcome.broken = str(error)
    times = outcome.offered / outcome.learned
    met = not outcome.broken and outcome.growth <= GROWTH and times >= TIMES
    verdict = {"name": "overload", "value": round(outcome.growth, 1), "target": GROWTH, "met": met, "times": round(times, 1)}
    return verdict | {
        "seconds": outcome.seconds,
        "frames": outcome.frames,
        "broken": outcome.broken,
        "statuses": dict(outcome.answers.statuses),
        "classify_statuses": dict(outcome.asker.statuses),
        "classify_ms": [round(outcome.asker.milliseconds(share), 1) for share in (0.5, 0.99)],
    }


def main() -> int:
    """Run everything; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="of load")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ffstream-bench-") as home:
        outcome = overload(Path(home) / "data", told.seconds)
        print(f"{outcome.learned:.0f} frames a second learned of {outcome.offered:.0f} offered; proving", file=sys.stderr)
        verdict = judge(outcome, Path(home) / "data")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "overload.md").write_text(report(outcome, verdict))
    (RESULTS / "overload.json").write_text(json.dumps(verdict, indent=1) + "\n")
    print(json.dumps(verdict))
    return 0 if verdict["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
