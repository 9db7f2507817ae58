"""Real kills: a service under load loses its processes again and again, and how long a recovery takes.

Targets: at least 30 kills after which the weights are bit-identical to those of an undisturbed run and every acknowledged frame
was learned exactly once; with 10,000 frames to replay in 4 layers, less than 5 s beyond the time that learning them takes.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.attacks import Attack, Victim
from benchmarks.proof import DATA, BrokenPromiseError
from benchmarks.report import hardware
from ffstream import NetworkConfig, Schedule
from ffstream.actors import RayChain, open_stream
from ffstream.errors import ChainError

RESULTS = Path(__file__).parent / "results"

KILL, STOP = signal.SIGKILL, signal.SIGSTOP
LAYERS = ("layer-0", "layer-1", "layer-2")
SERVERS = ("raylet", "gcs_server", "ray")

UNSAVED = [Attack("awake", (target,)) for target in ("layer-0", "dreamer", "gateway", "raylet", "ray")]
SAVED = [
    *(Attack("awake", (target,), sent) for target in (*LAYERS, "dreamer", "gateway", *SERVERS) for sent in (KILL, STOP)),
    *(Attack("saving", (target,)) for target in ("layer-1", "dreamer", "gateway", "ray")),
    *(Attack("asleep", (target,)) for target in ("layer-0", "dreamer", "gateway", "raylet")),
    *(Attack("recovering", (target,)) for target in ("layer-2", "dreamer", "gateway", "ray")),
    Attack("awake", ("layer-0", "layer-2")),
    Attack("awake", ("dreamer", "gateway")),
    Attack("awake", ("gateway", "gateway")),
    Attack("asleep", ("layer-1", "dreamer")),
]

KILLS_TARGET = 30
SECONDS_TARGET = 5.0
FRAMES = 10_000
NETWORK = NetworkConfig(inputs=DATA.inputs, classes=DATA.classes, units=(200,) * 4, batch=100)
"""What is replayed when the recovery is timed, and by which network."""


@dataclass
class Outcome:
    """Attacks that were survived, with seconds; and what went wrong, if anything."""

    seconds: dict[str, float]
    kills: int
    failure: str = ""


def campaign(folder: Path, attacks: list[Attack], *flags: str, save: bool) -> Outcome:
    """Attack one service again and again, then prove that nothing shows."""
    outcome = Outcome({}, 0)
    try:
        with Victim(folder, *flags) as victim:
            for number, attack in enumerate(attacks, start=1):
                name = f"{attack}" if save else f"before the first snapshot, {attack}"
                outcome.seconds[name] = victim.suffer(attack, save=save)
                outcome.kills += len(attack.targets) + (attack.moment == "recovering")
                print(f"{number}/{len(attacks)} {name}: caught up after {outcome.seconds[name]:.1f} s", flush=True)
        print(f"{victim.prove()} frames learned exactly once, bit-identical", flush=True)
    except BrokenPromiseError as error:
        outcome.failure = str(error)
        print(f"FAILED: {error}", flush=True)
    return outcome


def recovery_seconds(repeats: int) -> list[float]:
    """Seconds beyond learning from the death of a layer until all frames are learned again, without a snapshot."""
    beyond = []
    order = DATA.order(1 + FRAMES // len(DATA.x), seed=0)[:FRAMES]
    with tempfile.TemporaryDirectory(prefix="ffstream-bench-") as folder:
        stream = open_stream(NETWORK, Schedule(every=1000, idle=None), folder=Path(folder))
        stream.accept(DATA.x[order], DATA.y[order])
        for part in (f"layer-{number % NETWORK.depth}" for number in range(repeats)):
            stream.start()
            began = time.monotonic()
            stream.drain(600)
            learning = time.monotonic() - began
            killed = time.monotonic()
            assert isinstance(stream.chain, RayChain)
            os.kill(stream.chain.crew.pids[part], signal.SIGKILL)
            with suppress(ChainError):
                while True:
                    stream.step(0.1)
            stream.start()
            stream.drain(600)
            beyond.append(time.monotonic() - killed - learning)
            print(f"{part} killed: all learned again {beyond[-1]:.1f} s beyond the {learning:.1f} s of learning", flush=True)
        stream.close()
    return beyond


def report(outcomes: list[Outcome], beyond: list[float]) -> str:
    """Markdown."""
    lines = [
        "# Recovery",
        "",
        f"{hardware()}, ray {version('ray')}.",
        "",
    ]
    lines += ["| attack | seconds until all accepted frames were learned |", "|---|---|"]
    lines += [f"| {name} | {seconds:.1f} |" for outcome in outcomes for name, seconds in outcome.seconds.items()]
    kills = sum(outcome.kills for outcome in outcomes)
    failures = [outcome.failure for outcome in outcomes if outcome.failure] or ["none"]
    lines += ["", f"Kills and stops: {kills}. Broken promises: {'; '.join(failures)}.", ""]
    lines += [f"{FRAMES} frames to replay, {NETWORK.depth} layers of {NETWORK.units[0]}, Ray up: seconds beyond learning them"]
    lines += [f"{', '.join(f'{each:.1f}' for each in beyond)} (median {statistics.median(beyond):.1f}).", ""]
    return "\n".join(lines)


def main() -> int:
    """Run everything; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="recoveries that are timed")
    told = parser.parse_args()
    beyond = recovery_seconds(told.repeats)
    with tempfile.TemporaryDirectory(prefix="ffstream-bench-") as home:
        outcomes = [
            campaign(Path(home) / "unsaved", UNSAVED, "--snapshot-every", "never", save=False),
            campaign(Path(home) / "saved", SAVED, "--snapshot-every", "60", save=True),
        ]
    kills, seconds = sum(outcome.kills for outcome in outcomes), statistics.median(beyond)
    unbroken = not any(outcome.failure for outcome in outcomes)
    met = unbroken and kills >= KILLS_TARGET and seconds < SECONDS_TARGET
    verdict = {"name": "recovery", "value": round(seconds, 2), "target": SECONDS_TARGET, "met": met}
    verdict |= {
        "kills": kills,
        "kills_target": KILLS_TARGET,
        "bit_identical": unbroken,
        "seconds": [round(s, 2) for s in beyond],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "recovery.md").write_text(report(outcomes, beyond))
    (RESULTS / "recovery.json").write_text(json.dumps(verdict, indent=1) + "\n")
    print(json.dumps(verdict))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
