"""How fast frames are accepted: frames a second that the gateway journals, as a share of what its web server can read at all.

``python -m benchmarks.ingest`` (or ``make bench-ingest``). The gateway, and an application that reads the same bytes and
answers 202 without looking at them, run one after the other on the same uvicorn, the order taking turns. The gateway's
learning never begins, as while its layers start, and any number of frames may wait: what is measured is acceptance, the
journal's commit included. The medians of the pairs' ratios are reported, by wall time and by the servers' CPU time.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from websockets.sync.client import ClientConnection, connect

from benchmarks.connection import Connection, request
from benchmarks.cost import Cost
from benchmarks.report import RESULTS, table, verdict, write
from ffstream.client.calls import npy
from ffstream_gateway.bodies import JSON, NDJSON, NPY

TARGETS = {"npy": 0.5, "ndjson": 0.3}
"""Frames accepted a second, as a share of the bare application's."""

INPUTS = 784
LIT = 0.19
"""Numbers in a frame, and how many of them are not 0: those of MNIST."""

CHUNK = 500
CONNECTIONS = 4
"""Frames in a request, as ``ffstream feed`` has them, and connections that send them."""

SOCKET_CHUNK = 32
"""Frames in a message of the WebSocket."""

LISTENS_WITHIN = 60.0
STOPS_WITHIN = 30.0
"""Seconds."""


@dataclass(frozen=True)
class Format:
    """A way for frames to come in: a prepared request or message, and the frames in it."""

    name: str
    whole: bytes | str
    frames: int
    over_socket: bool = False


@dataclass(frozen=True)
class Rate:
    """Frames accepted a second of the clock, and a second of the server's processor."""

    wall: float
    cpu: float


def formats(chunk: int) -> list[Format]:
    """All of them; the frames are those of black images with some grey in them."""
    random = np.random.default_rng(0)
    pixels = (random.integers(1, 256, (chunk, INPUTS)) * (random.random((chunk, INPUTS)) < LIT)).astype(np.uint8)
    labels = random.integers(0, 10, chunk)
    numbers = (pixels / 255).round(4).tolist()
    lines = [json.dumps({"frame": frame, "label": label}) for frame, label in zip(numbers, labels.tolist(), strict=True)]
    several = json.dumps({"frames": numbers, "labels": labels.tolist()})
    few = json.dumps({"frames": numbers[:SOCKET_CHUNK], "labels": labels[:SOCKET_CHUNK].tolist()})
    raw = npy(pixels) + npy(labels)
    return [
        Format("npy", request("POST", "/feed", raw, NPY), chunk),
        Format("npy float32", request("POST", "/feed", npy(pixels.astype(np.float32) / 255) + npy(labels), NPY), chunk),
        Format("ndjson", request("POST", "/feed", "\n".join(lines).encode(), NDJSON), chunk),
        Format("json", request("POST", "/feed", several.encode(), JSON), chunk),
        Format(
            "socket, npy", npy(pixels[:SOCKET_CHUNK]) + npy(labels[:SOCKET_CHUNK]), min(SOCKET_CHUNK, chunk), over_socket=True
        ),
        Format("socket, json", few, min(SOCKET_CHUNK, chunk), over_socket=True),
        Format("npy, a frame a request", request("POST", "/feed", npy(pixels[:1]) + npy(labels[:1]), NPY), 1),
    ]


@contextmanager
def acceptor(which: str, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """One of the two servers, on a free port: its URL and its process."""
    command = [sys.executable, "-m", "benchmarks.acceptor", which, "--folder", str(folder), "--inputs", str(INPUTS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as popen:
        try:
            assert popen.stdout is not None
            said = popen.stdout.readline()
            yield said.split()[-1], psutil.Process(popen.pid)
        finally:
            popen.send_signal(signal.SIGINT)
            popen.wait(STOPS_WITHIN)


def rate(url: str, process: psutil.Process, format: Format, seconds: float) -> Rate:
    """Send for so long over several connections, each waiting for its answers."""
    send: Callable[[Any, Format, float], int] = _over_socket if format.over_socket else _over_http
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(CONNECTIONS))
        lines = [stack.enter_context(_open(url, format)) for _ in range(CONNECTIONS)]
        began, end = Cost.until_now(process), time.monotonic() + seconds
        sent = [threads.submit(send, line, format, end) for line in lines]
        accepted = sum(each.result() for each in sent) * format.frames
        taken = Cost.until_now(process) - began
    return Rate(accepted / taken.wall, accepted / max(taken.cpu, 0.01))


def _open(url: str, format: Format) -> Any:
    if not format.over_socket:
        return Connection(url)
    return connect(url.replace("http", "ws") + "/feed", compression=None, max_size=None, proxy=None)


def _over_http(line: Connection, format: Format, end: float) -> int:
    """Requests that were answered until the end."""
    assert isinstance(format.whole, bytes)
    answered = 0
    while time.monotonic() < end:
        status, answer = line.ask(format.whole)
        if status != 202:
            raise ConnectionError(f"{format.name}: answered with {status}: {answer[:200]!r}")
        answered += 1
    return answered


def _over_socket(line: ClientConnection, format: Format, end: float) -> int:
    """Messages that were answered; as many are under way as there are credits."""
    credits, answered, under_way = json.loads(line.recv())["credits"], 0, 0
    while under_way or time.monotonic() < end:
        while credits and time.monotonic() < end:
            line.send(format.whole)
            under_way, credits = under_way + 1, credits - 1
        if not under_way:
            break
        answer = json.loads(line.recv())
        if "first" not in answer:
            raise ConnectionError(f"{format.name}: answered with {answer}")
        answered, under_way, credits = answered + 1, under_way - 1, credits + answer["credits"]
    return answered


def measure(chosen: list[Format], seconds: float, repeats: int) -> dict[str, list[tuple[Rate, Rate]]]:
    """Rates of the gateway and of the bare application, by format."""
    taken: dict[str, list[tuple[Rate, Rate]]] = {each.name: [] for each in chosen}
    with tempfile.TemporaryDirectory(prefix="ffstream-bench-") as home, ExitStack() as stack:
        servers = {which: stack.enter_context(acceptor(which, Path(home) / which)) for which in ("gateway", "bare")}
        for turn in range(repeats):
            for format in chosen:
                order = list(servers)[:: -1 if turn % 2 else 1]
                rates = {which: rate(*servers[which], format, seconds) for which in order}
                taken[format.name].append((rates["gateway"], rates["bare"]))
                said = f"{rates['gateway'].wall:.0f} frames/s, {rates['bare'].wall:.0f} of the bare application"
                print(f"  {turn + 1}/{repeats} {format.name}: {said}", file=sys.stderr, flush=True)
    return taken


def report(taken: Mapping[str, list[tuple[Rate, Rate]]], chunk: int) -> str:
    """Markdown."""
    rows = []
    for name, pairs in taken.items():
        ours, bare = median(a.wall for a, _ in pairs), median(b.wall for _, b in pairs)
        ratios = [a.wall / b.wall for a, b in pairs]
        figures = [f"{each:.2f}" for each in (median(ratios), min(ratios), max(ratios), by_cpu(pairs))]
        micro = median(1e6 / a.cpu for a, _ in pairs)
        rows.append([name, f"{ours:.0f}", f"{bare:.0f}", *figures, f"{micro:.1f}"])
    header = ["format", "frames/s", "bare", "ratio", "least", "most", "by CPU time", "CPU time a frame, µs"]
    title = f"Frames of {INPUTS} numbers, {chunk} a request, {SOCKET_CHUNK} a message; {CONNECTIONS} connections; medians."
    return f"# Accepting frames\n\n{title}\n\n{table(header, rows)}"


def by_wall(pairs: list[tuple[Rate, Rate]]) -> float:
    """The gateway's frames a second as a share of the bare application's."""
    return median(ours.wall / bare.wall for ours, bare in pairs)


def by_cpu(pairs: list[tuple[Rate, Rate]]) -> float:
    """The same for a second of the server's processor."""
    return median(ours.cpu / bare.cpu for ours, bare in pairs)


def main() -> None:
    """Measure, then say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a measurement")
    parser.add_argument("--chunk", type=int, default=CHUNK, help="frames in a request")
    parser.add_argument("--formats", nargs="*", help="only these")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the table")
    told = parser.parse_args()
    began = time.monotonic()
    chosen = [each for each in formats(told.chunk) if told.formats is None or each.name in told.formats]
    taken = measure(chosen, told.seconds, told.repeats)
    write(told.results / "ingest.md", report(taken, told.chunk))
    ratios = {name: by_wall(pairs) for name, pairs in taken.items()}
    met = all(ratios.get(name, 0.0) >= target for name, target in TARGETS.items())
    more = {name: round(ratio, 3) for name, ratio in ratios.items()}
    cpu = {name: round(by_cpu(pairs), 3) for name, pairs in taken.items()}
    seconds = time.monotonic() - began
    value = ratios.get("npy", 0.0)
    verdict(
        "ingest",
        value=value,
        target=TARGETS["npy"],
        met=met,
        ndjson_target=TARGETS["ndjson"],
        ratios=more,
        by_cpu=cpu,
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
