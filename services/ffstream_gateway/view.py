"""What the commands show: what a service has said as lines of text, and the demo as a live table."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ffstream.client import Drift, Frame, PolarityReport, Schedule, Snapshot, Status

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
    status: Status
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


def describe(status: Status) -> Iterator[str]:
    """A status in a few lines of text."""
    paused = ", feeding is paused" if status.paused else ""
    yield f"{status.state}, {status.phase}{paused}" + (f": {status.error}" if status.error else "")
    yield f"frames     {status.frames} learned of {status.accepted} accepted, {rate(status)}"
    known, most = status.network["classes"], status.max_classes or 0
    yield f"labels     {known}" + (f", and room for {most - known} more" if most > known else "")
    yield f"sleeps     {status.sleeps}, {status.dreams} dreams"
    if status.last_drift is not None:
        yield f"drift      {describe_drift(status.last_drift)}; {status.drifts} so far"
    lately, overall = percent(status.accuracy), percent(status.accuracy_overall)
    yield f"accuracy   {lately} of the last 500, {overall} of all, each predicted before it was learned"
    for layer in status.layers:
        positives, negatives = _goodness(layer.positive), _goodness(layer.negative)
        yield f"layer {layer.layer}    goodness of positives {positives}, negatives {negatives}"
    yield f"version    {status.version}, event {status.seq}; classifying as of event {status.reader_seq}"


def describe_drift(drift: Drift) -> str:
    """When the stream last changed, how much, and what was done."""
    worse = f"from {percent(drift.before)} wrong to {percent(drift.since)}"
    return f"event {drift.seq}: {worse} within {drift.frames} frames, reaction: {drift.reaction}"


def summary(status: Status) -> str:
    """A status in one line of text."""
    state = "feeding is paused" if status.paused else status.state
    learned = f"learned {status.frames} of {status.accepted}, {rate(status)}"
    return f"{state}, {status.phase}  {learned}  {percent(status.accuracy)} of the last {WINDOW}, {status.dreams} dreams"


def describe_schedule(schedule: Schedule) -> Iterator[str]:
    """When a network sleeps, in a few lines of text."""
    yield f"every      {_or_never(schedule.every)} labelled frames"
    yield f"idle       {_or_never(schedule.idle)} seconds"
    yield f"dreams     {schedule.dreams_per_frame:g} for every labelled frame"
    if schedule.cycle:
        yield f"cycle      {schedule.cycle} batches of replayed positives, then as many of dreams"
    yield f"enough     {_or_never(schedule.enough)}: the share of rows still learned from that ends a phase before its time"


def describe_frame(frame: Frame) -> Iterator[str]:
    """What has become of a frame, in a few lines of text."""
    label = "label not known" if frame.label is None else f"label {frame.label}"
    yield f"frame {frame.id}: {frame.state}, {label}"
    made = frame.prediction
    if made is not None:
        verdict = "" if frame.label is None else ", right" if made.label == frame.label else ", wrong"
        yield f"predicted  {made.label} at {percent(made.probability)}{verdict}, before event {made.seq} learned it"
    if frame.taught_as is not None:
        yield f"taught as  frame {frame.taught_as}, with its late label"
    if frame.repeats is not None:
        yield f"repeats    frame {frame.repeats}, whose late label it teaches"


def describe_snapshots(snapshots: list[Snapshot]) -> Iterator[str]:
    """One line a snapshot."""
    if not snapshots:
        yield "no snapshot yet; `ffstream snapshot` takes one"
        return
    yield f"{'event':>8}  {'frames':>10}  accuracy"
    for each in snapshots:
        left = "  abandoned" if each.abandoned else ""
        yield f"{each.seq:>8}  {each.frames:>10}  {percent(each.accuracy):>8}{left}"


def describe_restore(snapshot: Snapshot, status: Status) -> Iterator[str]:
    """What going back would mean, in a few lines of text."""
    yield f"snapshot {snapshot.seq}: {snapshot.frames} frames learned, accuracy {percent(snapshot.accuracy)}"
    if snapshot.abandoned:
        yield "to be abandoned: what was learned since its branch was left; what leads to it counts again"
    else:
        yield f"to be abandoned: {status.frames - snapshot.frames} of the {status.frames} frames learned by now"
    yield "nothing is erased: what is abandoned stays in the journal, and `ffstream frame` still tells of it"
    yield "only a snapshot leads back to now: `ffstream snapshot` takes one"


def as_table(moment: Moment) -> Table:
    """A moment as a table of a few rows."""
    status, held_out = moment.status, moment.held_out
    seen = novelty(status.frames, moment.fresh)
    table = Table(box=None, show_header=False, padding=(0, 2), title=f"learning while answering, {moment.seconds:.0f} s")
    table.add_column(style="dim")
    table.add_column()
    table.add_row("frames learned", f"{status.frames} of {moment.total}, {rate(status)} ({status.waiting} wait)")
    table.add_row("prequential accuracy", f"{percent(status.accuracy)} of the last 500, predicted before learning ({seen})")
    table.add_row("held-out accuracy", f"{percent(held_out.accuracy)} of the last {WINDOW}, asked while it learns")
    table.add_row("classify", f"{milliseconds(held_out.latency)} (p50), {held_out.requests} requests so far")
    table.add_row("phase", f"[bold]{status.phase}[/]; slept {status.sleeps} times, {status.dreams} dreams")
    for layer in status.layers:
        table.add_row(
            f"goodness, layer {layer.layer}",
            f"positives {_goodness(layer.positive)}, dreams {_goodness(layer.negative)}",
        )
    return table


def as_line(moment: Moment) -> str:
    """A moment as one line."""
    status, held_out = moment.status, moment.held_out
    goodness = " ".join(f"{_goodness(layer.positive)}/{_goodness(layer.negative)}" for layer in status.layers)
    prequential = f"{percent(status.accuracy)} ({novelty(status.frames, moment.fresh)})"
    return (
        f"{moment.seconds:5.1f} s  learned {status.frames}/{moment.total} {rate(status)}  prequential {prequential}"
        f"  held out {percent(held_out.accuracy)}  classify {milliseconds(held_out.latency)}"
        f"  {status.phase}, {status.sleeps} sleeps, {status.dreams} dreams  goodness +/- {goodness}"
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


def rate(status: Status) -> str:
    """Frames learned a second, as text."""
    return f"{status.frames_per_second:.0f}/s"


def _or_never(number: float | None) -> str:
    return "never" if number is None else f"{number:g}"


def _goodness(report: PolarityReport | None) -> str:
    return "-" if report is None else f"{report.goodness:.2f}"
