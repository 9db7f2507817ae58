"""What the commands show: what a service has said as lines of text, and the demo as a live table."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ffstream_gateway.client import Json

LINE_EVERY = 1.0
"""Seconds between two lines where there is no terminal."""

WINDOW = 500
"""Frames that count for an accuracy shown."""


@dataclass(frozen=True)
class HeldOut:
    """What classification looked like lately: share of right labels and the median latency in seconds."""

    requests: int = 0
    accuracy: float | None = None
    latency: float | None = None


@dataclass(frozen=True)
class Moment:
    """All that is shown at one time; ``fresh`` frames come by first, and then again up to ``total``."""

    seconds: float
    total: int
    fresh: int
    status: Json
    held_out: HeldOut


class View:
    """Shows moments, each in place of the one before where the console can.

    Args:
        console: to write to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._shown = -LINE_EVERY

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, moment: Moment) -> None:
        """Show a moment; where there is no terminal, only when the last line is old enough."""
        if self._live:
            self._live.update(as_table(moment), refresh=True)
        elif time.monotonic() - self._shown >= LINE_EVERY:
            self._shown = time.monotonic()
            self._console.print(as_line(moment), soft_wrap=True, highlight=False)


class FeedBar:
    """A bar of frames learned.

    Args:
        total: frames to be learned.
    """

    def __init__(self, total: int) -> None:
        figures = TextColumn(
            "{task.completed}/{task.total} frames, {task.fields[rate]}, prequential accuracy {task.fields[accuracy]}"
        )
        self._progress = Progress(TextColumn("learned"), BarColumn(), figures, TimeRemainingColumn())
        self._task = self._progress.add_task("learned", total=total, rate="-", accuracy="-")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, learned: int, status: Json) -> None:
        """Move to ``learned`` frames."""
        self._progress.update(self._task, completed=learned, rate=_rate(status), accuracy=percent(status["accuracy"]))


def describe(status: Json) -> Iterator[str]:
    """A status in a few lines of text."""
    yield f"{status['state']}, {status['phase']}" + (f": {status['error']}" if status["error"] else "")
    yield f"frames     {status['frames']} learned of {status['accepted']} accepted, {_rate(status)}"
    yield f"sleeps     {status['sleeps']}, {status['dreams']} dreams"
    if status["last_drift"] is not None:
        yield f"drift      {describe_drift(status['last_drift'])}; {status['drifts']} so far"
    lately, overall = percent(status["accuracy"]), percent(status["accuracy_overall"])
    yield f"accuracy   {lately} of the last 500, {overall} of all, each predicted before it was learned"
    for layer in status["layers"]:
        positives, negatives = _goodness(layer, "positive"), _goodness(layer, "negative")
        yield f"layer {layer['layer']}    goodness of positives {positives}, negatives {negatives}"
    yield f"version    {status['version']}, event {status['seq']}; classifying as of event {status['reader_seq']}"


def describe_drift(drift: Json) -> str:
    """When the stream last changed, how much, and what was done."""
    worse = f"from {percent(drift['before'])} wrong to {percent(drift['since'])}"
    return f"event {drift['seq']}: {worse} within {drift['frames']} frames, reaction: {drift['reaction']}"


def describe_frame(frame: Json) -> Iterator[str]:
    """What has become of a frame, in a few lines of text."""
    label = "label not known" if frame["label"] is None else f"label {frame['label']}"
    yield f"frame {frame['id']}: {frame['state']}, {label}"
    made = frame["prediction"]
    if made is not None:
        verdict = "" if frame["label"] is None else ", right" if made["label"] == frame["label"] else ", wrong"
        yield f"predicted  {made['label']} at {percent(made['probability'])}{verdict}, before event {made['seq']} learned it"
    if frame["taught_as"] is not None:
        yield f"taught as  frame {frame['taught_as']}, with its late label"
    if frame["repeats"] is not None:
        yield f"repeats    frame {frame['repeats']}, whose late label it teaches"


def describe_snapshots(snapshots: list[Json]) -> Iterator[str]:
    """One line a snapshot."""
    if not snapshots:
        yield "no snapshot yet; `ffstream snapshot` takes one"
        return
    yield f"{'event':>8}  {'frames':>10}  accuracy"
    for each in snapshots:
        left = "  abandoned" if each["abandoned"] else ""
        yield f"{each['seq']:>8}  {each['frames']:>10}  {percent(each['accuracy']):>8}{left}"


def describe_restore(snapshot: Json, status: Json) -> Iterator[str]:
    """What going back would mean, in a few lines of text."""
    yield f"snapshot {snapshot['seq']}: {snapshot['frames']} frames learned, accuracy {percent(snapshot['accuracy'])}"
    if snapshot["abandoned"]:
        yield "to be abandoned: what was learned since its branch was left; what leads to it counts again"
    else:
        yield f"to be abandoned: {status['frames'] - snapshot['frames']} of the {status['frames']} frames learned by now"
    yield "nothing is erased: what is abandoned stays in the journal, and `ffstream frame` still tells of it"
    yield "only a snapshot leads back to now: `ffstream snapshot` takes one"


def as_table(moment: Moment) -> Table:
    """A moment as a table of a few rows."""
    status, held_out = moment.status, moment.held_out
    seen = novelty(status["frames"], moment.fresh)
    table = Table(box=None, show_header=False, padding=(0, 2), title=f"learning while answering, {moment.seconds:.0f} s")
    table.add_column(style="dim")
    table.add_column()
    table.add_row("frames learned", f"{status['frames']} of {moment.total}, {_rate(status)} ({status['waiting']} wait)")
    table.add_row("prequential accuracy", f"{percent(status['accuracy'])} of the last 500, predicted before learning ({seen})")
    table.add_row("held-out accuracy", f"{percent(held_out.accuracy)} of the last {WINDOW}, asked while it learns")
    table.add_row("classify", f"{milliseconds(held_out.latency)} (p50), {held_out.requests} requests so far")
    table.add_row("phase", f"[bold]{status['phase']}[/]; slept {status['sleeps']} times, {status['dreams']} dreams")
    for layer in status["layers"]:
        table.add_row(
            f"goodness, layer {layer['layer']}",
            f"positives {_goodness(layer, 'positive')}, dreams {_goodness(layer, 'negative')}",
        )
    return table


def as_line(moment: Moment) -> str:
    """A moment as one line."""
    status, held_out = moment.status, moment.held_out
    goodness = " ".join(f"{_goodness(layer, 'positive')}/{_goodness(layer, 'negative')}" for layer in status["layers"])
    prequential = f"{percent(status['accuracy'])} ({novelty(status['frames'], moment.fresh)})"
    return (
        f"{moment.seconds:5.1f} s  learned {status['frames']}/{moment.total} {_rate(status)}  prequential {prequential}"
        f"  held out {percent(held_out.accuracy)}  classify {milliseconds(held_out.latency)}"
        f"  {status['phase']}, {status['sleeps']} sleeps, {status['dreams']} dreams  goodness +/- {goodness}"
    )


def percent(share: float | None) -> str:
    """A share as text."""
    return "-" if share is None else f"{100 * share:.1f} %"


def novelty(learned: int, fresh: int) -> str:
    """Whether the last of ``learned`` frames had been learned before, when ``fresh`` frames come by again and again."""
    if learned <= fresh:
        return "new"
    return "seen before" if learned - WINDOW >= fresh else "partly seen before"


def milliseconds(seconds: float | None) -> str:
    """A latency as text."""
    return "-" if seconds is None else f"{1000 * seconds:.1f} ms"


def _rate(status: Json) -> str:
    rate = status["frames_per_second"]
    return "-" if rate is None else f"{rate:.0f}/s"


def _goodness(layer: dict[str, Any], polarity: str) -> str:
    report = layer[polarity]
    return "-" if report is None else f"{report['goodness']:.2f}"
