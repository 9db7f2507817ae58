"""How long a service takes to start: until it answers at all, until it is ready, until it has learned its first frame.

``python -m benchmarks.start`` (or ``make bench-start``). ``ffstream serve`` is started again and again with a new folder; the
clock runs from its start as a process until the first 200 of /livez, until that of /readyz, and until a frame that was fed as
soon as anything answered is learned. Medians, with the CPU time of all processes.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.connection import Connection, free_port, request
from benchmarks.cost import Cost
from benchmarks.report import RESULTS, table, verdict, write
from ffstream.client.calls import npy
from ffstream_gateway.child import Child

TARGETS = {"live": 3.0, "ready": 15.0, "learned": 16.0}
"""Seconds from the start of the process."""

WITHIN = 120.0
LOOK_EVERY = 0.01
"""Seconds: for each of the three, and between two looks."""

INPUTS = 64
"""Numbers in a frame of the default network."""


@dataclass(frozen=True)
class Start:
    """Seconds until each of the three, and seconds that processors were busy until the last."""

    live: float
    ready: float
    learned: float
    cpu: float


def start(flags: list[str]) -> Start:
    """Start a service, see it learn a frame, and stop it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    with Child(["--port", str(port), *flags]) as child:
        until(lambda: answers(url, "/livez"))
        live = time.perf_counter() - began
        with Connection(url) as line:
            status, said = line.ask(request("POST", "/feed", npy(np.ones((1, INPUTS), np.uint8)) + npy(np.array([3]))))
            if status != 202:
                raise ConnectionError(f"the first frame was answered with {status}: {said!r}")
            until(lambda: line.ask(request("GET", "/readyz"))[0] == 200)
            ready = time.perf_counter() - began
            until(lambda: json.loads(line.ask(request("GET", "/frames/1"))[1]).get("state") == "learned")
            learned = time.perf_counter() - began
        return Start(live, ready, learned, Cost.until_now(child.process).cpu)


def answers(url: str, path: str) -> bool:
    """Whether a new connection gets a 200."""
    with suppress(OSError), Connection(url) as line:
        return line.ask(request("GET", path))[0] == 200
    return False


def until(holds: Callable[[], bool]) -> None:
    """Look again and again.

    Raises:
        TimeoutError: when it does not come to that.
    """
    end = time.monotonic() + WITHIN
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"waited for {WITHIN:.0f} s")
        time.sleep(LOOK_EVERY)


def report(starts: list[Start]) -> str:
    """Markdown."""
    rows = []
    for name, about in (
        ("live", "`/livez` answers 200"),
        ("ready", "`/readyz` answers 200"),
        ("learned", "a frame is learned"),
    ):
        seconds = [getattr(each, name) for each in starts]
        rows.append([about, *(f"{each:.2f}" for each in (median(seconds), min(seconds), max(seconds))), f"{TARGETS[name]:.0f}"])
    cpu = f"CPU time of all processes until then: {median(each.cpu for each in starts):.1f} s."
    header = ["seconds until", "median", "least", "most", "target"]
    return f"# Start\n\nThe default network in a new folder, {len(starts)} starts.\n\n{table(header, rows)}\n{cpu}\n"


def main() -> None:
    """Measure, then say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--flags", nargs="*", default=[], help="of ffstream serve")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the table")
    told = parser.parse_args()
    starts = []
    for turn in range(told.repeats):
        starts.append(start(told.flags))
        done = starts[-1]
        said = f"live {done.live:.2f} s, ready {done.ready:.2f} s, learned {done.learned:.2f} s, {done.cpu:.1f} s of CPU"
        print(f"  {turn + 1}/{told.repeats} {said}", file=sys.stderr, flush=True)
    write(told.results / "start.md", report(starts))
    medians = {name: median(getattr(each, name) for each in starts) for name in TARGETS}
    met = all(medians[name] < target for name, target in TARGETS.items())
    more = {f"{name}_target": target for name, target in TARGETS.items() if name != "live"}
    cpu = median(each.cpu for each in starts)
    verdict("start", value=medians["live"], target=TARGETS["live"], met=met, **medians, **more, cpu=cpu)


if __name__ == "__main__":
    main()
