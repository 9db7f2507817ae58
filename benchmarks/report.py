"""What a benchmark leaves behind: a table, a plot, and a verdict as its last line."""

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def options(about: str) -> argparse.ArgumentParser:
    """A command line with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--data", default="openml:mnist_784", help="as ffstream.datasets.load takes it")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time, one thread each")
    parser.add_argument("--fresh", action="store_true", help="measure again what is recorded already")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record, the tables and the plots")
    return parser


def hardware() -> str:
    """What something was measured on."""
    return f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}"


def machine() -> str:
    """What a speed was measured on, and how busy others keep it: to be asked before one begins."""
    return f"{hardware()}, {os.getloadavg()[1]:.1f} programs already running"


def percent(share: float) -> str:
    """Two digits of a percent, without the sign."""
    return f"{100 * share:.2f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write(path: Path, text: str) -> None:
    """Write ``text`` to a file and to the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(text, flush=True)


def plot(path: Path, draw: Callable[[Any], None]) -> None:
    """Save a PNG of what ``draw`` draws on one pair of axes."""
    picture(path, lambda figure: draw(figure.subplots()))


def picture(path: Path, draw: Callable[[Any], None]) -> None:
    """Save a PNG of what ``draw`` draws on a figure."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(9, 6), layout="constrained")
    draw(figure)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def verdict(name: str, *, value: float, target: float, met: bool, **more: Any) -> None:
    """The last line: one JSON object."""
    rounded = {key: round(each, 4) if isinstance(each, float) else each for key, each in more.items()}
    print(json.dumps({"name": name, "value": round(value, 4), "target": target, "met": met, **rounded}), flush=True)
