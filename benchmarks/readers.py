"""What readers do for /classify: how many questions a second are answered, and how long one takes, with none, one and two.

``python -m benchmarks.readers`` (or ``make bench-readers``). A service for every number of readers, side by side, asked in
turns: by one client as in :mod:`benchmarks.latency`, idle and while a second program feeds all that is taken; and by several at
once, of one frame and of many, in both cases too. Ratios are of turns that follow one another, medians over all of them.
"""

import argparse
import multiprocessing
import re
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise, product
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from benchmarks.connection import Connection, request
from benchmarks.latency import (
    BACKLOG,
    CHUNK,
    READY_WITHIN,
    Asked,
    Asker,
    Kind,
    body_of,
    offering,
    own_flags,
    prepared,
    ratios,
    rest,
    take_loaded_turn,
    take_turn,
    until,
)
from benchmarks.report import RESULTS, machine, table, verdict, write
from ffstream.client import Client
from ffstream.client.calls import npy
from ffstream.datasets import Dataset, load
from ffstream_gateway.child import Child

TARGET = 2.0
"""p99 under load, in p99 idle, with the most readers: the worst kind of question."""

COUNTS = (0, 1, 2)
CROWDS: tuple[Kind, ...] = (("one_pass", 1), ("goodness", 32))
CLIENTS, SECONDS = 4, 2.0
"""Numbers of readers; what many clients ask at once; how many they are, and for how long."""

WHEN = ("idle", "loaded")


@dataclass
class Measured:
    """One service: what one client saw, questions a second that several had answered, and the processor seconds that one
    of them cost the gateway when nothing was learned, turn by turn.
    """

    readers: int
    child: Child
    client: Client
    asker: Asker
    asked: dict[str, Asked] = field(default_factory=lambda: {when: Asked() for when in WHEN})
    rates: dict[tuple[str, Kind], list[float]] = field(default_factory=dict)
    learned: list[float] = field(default_factory=list)
    gateway: dict[Kind, list[float]] = field(default_factory=dict)

    def ask(self, when: str, kind: Kind, whole: bytes) -> None:
        """Note what several clients get answered, and what that costs the gateway's own process."""
        before = self._gateway_seconds()
        count, seconds = crowded(self.client.url, whole)
        self.rates.setdefault((when, kind), []).append(count / seconds)
        if when == "idle":
            self.gateway.setdefault(kind, []).append((self._gateway_seconds() - before) / count)

    def _gateway_seconds(self) -> float:
        times = self.child.process.cpu_times()
        return float(times.user + times.system)


def crowd(url: str, whole: bytes, seconds: float, told: Pipe) -> None:
    """Several clients in a process of their own, each asking again as soon as it is answered; tells questions and seconds."""
    counts = [0] * CLIENTS

    def ask(who: int) -> None:
        with Connection(url) as line:
            while time.perf_counter() < end:
                status, answer = line.ask(whole)
                if status != 200:
                    raise ConnectionError(f"a question was answered with {status}: {answer[:200]!r}")
                counts[who] += 1

    start = time.perf_counter()
    end = start + seconds
    clients = [threading.Thread(target=ask, args=(who,)) for who in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    told.send((sum(counts), time.perf_counter() - start))


def crowded(url: str, whole: bytes) -> tuple[int, float]:
    """Questions answered, and in how many seconds."""
    context = multiprocessing.get_context("spawn")
    told, tell = context.Pipe(duplex=False)
    asking = context.Process(target=crowd, args=(url, whole, SECONDS, tell))
    asking.start()
    found: tuple[int, float] = told.recv()
    asking.join()
    return found


def wait_for_readers(client: Client, count: int) -> None:
    """Until all of them answer."""

    def answer(_: object) -> bool:
        with urlopen(f"{client.url}/metrics") as metrics:
            found = re.search(rb"^ffstream_readers (\d+)", metrics.read(), re.M)
        return found is not None and int(found[1]) == count

    until(client, answer)


def measure(data: Dataset, counts: Sequence[int], flags: list[str], repeats: int, times: int) -> list[Measured]:
    """All services in turns."""
    questions = {
        (method, size): request("POST", f"/classify?method={method}", npy(data.x_held[:size])) for method, size in CROWDS
    }
    with ExitStack() as stack:
        services = []
        for count in counts:
            child = stack.enter_context(Child([*own_flags(data), f"--readers={count}", *flags]))
            client = stack.enter_context(Client(child.url()))
            client.ready(READY_WITHIN)
            wait_for_readers(client, count)
            services.append(Measured(count, child, client, prepared(client, data)))
        for turn in range(repeats):
            for each in services if turn % 2 else reversed(services):
                one_turn(each, body_of(data, CHUNK), questions, times)
            told = [f"{each.readers}: {each.rates['loaded', CROWDS[-1]][-1]:.0f}/s" for each in services]
            print(f"  {turn + 1}/{repeats} under load {', '.join(told)}", file=sys.stderr, flush=True)
    return services


def one_turn(service: Measured, body: bytes, questions: dict[Kind, bytes], times: int) -> None:
    """One service, idle and under load."""
    client = service.client
    take_turn(service.asker, times, service.asked["idle"], service.child)
    for kind, whole in questions.items():
        service.ask("idle", kind, whole)
    learned = take_loaded_turn(service.asker, times, service.asked["loaded"], service.child, client, body)
    service.learned.append(learned)
    with offering(client.url, body):
        until(client, lambda status: status.waiting > BACKLOG / 2)
        for kind, whole in questions.items():
            service.ask("loaded", kind, whole)
    rest(client)


def growth(services: list[Measured], when: str, kind: Kind) -> list[float]:
    """Questions a second with every number of readers, in those of the number before: medians of ratios."""
    turns = [service.rates[when, kind] for service in services]
    return [median(now / before for now, before in zip(more, fewer, strict=True)) for fewer, more in pairwise(turns)]


def gateway_share(services: list[Measured], kind: Kind) -> float:
    """Processor time of the gateway's process with the most readers, in that without: it limits what more of them can do."""
    without, with_most = (service.gateway[kind] for service in (services[0], services[-1]))
    return median(most / none for most, none in zip(with_most, without, strict=True))


def report(services: list[Measured], title: str) -> str:
    """Markdown."""
    rows = []
    for service in services:
        found = ratios(service.asked["idle"], service.asked["loaded"])
        for kind, ratio in found.items():
            p99s = [f"{median(service.asked[when].p99s(kind)):.1f}" for when in WHEN]
            rows.append([str(service.readers), kind[0], str(kind[1]), *p99s, f"{ratio:.2f}"])
    crowds = []
    for service, (when, kind) in product(services, product(WHEN, CROWDS)):
        crowds.append([str(service.readers), kind[0], str(kind[1]), when, f"{median(service.rates[when, kind]):.0f}"])
    costs = [
        [str(service.readers), kind[0], str(kind[1]), f"{1e6 * median(seconds):.0f}"]
        for service in services
        for kind, seconds in service.gateway.items()
    ]
    learned = ", ".join(f"{service.readers} readers {median(service.learned):.0f}" for service in services)
    first = table(["readers", "method", "frames", "p99 idle", "p99 loaded", "ratio"], rows)
    second = table(["readers", "method", "frames", "", "questions a second"], crowds)
    third = table(["readers", "method", "frames", "processor time of the gateway's process, µs a question, idle"], costs)
    text = f"# Readers\n\n{title}\n\n{first}\n{CLIENTS} clients at once:\n\n{second}\n{third}\n"
    return text + f"Learned a second under load: {learned}.\n"


def main() -> None:
    """Measure, then say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="digits", help="as ffstream.datasets.load takes it")
    parser.add_argument("--flags", nargs="*", default=[], help="of ffstream serve")
    parser.add_argument("--counts", nargs="*", type=int, default=COUNTS, help="of readers, rising")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--times", type=int, default=200, help="that every question is asked in a turn")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the table")
    told = parser.parse_args()
    where = machine()
    services = measure(load(told.data), told.counts, told.flags, told.repeats, told.times)
    title = f"{told.data}, {' '.join(told.flags) or 'the default network'}; {where}; ms; medians of {told.repeats} turns."
    write(told.results / "readers.md", report(services, title))
    worst = [max(ratios(each.asked["idle"], each.asked["loaded"]).values()) for each in services]
    grown = {f"{when}, {kind[0]}, {kind[1]}": growth(services, when, kind) for when, kind in product(WHEN, CROWDS)}
    rounded = {name: [round(each, 3) for each in found] for name, found in grown.items()}
    shares = {f"{kind[0]}, {kind[1]}": round(gateway_share(services, kind), 3) for kind in CROWDS}
    by_count = dict(zip(map(str, told.counts), [round(each, 3) for each in worst], strict=True))
    verdict("readers", value=worst[-1], target=TARGET, met=worst[-1] <= TARGET, ratios=by_count, growth=rounded, gateway=shares)


if __name__ == "__main__":
    main()
