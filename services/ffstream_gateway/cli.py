"""The command line ``ffstream``. What is slow to import is imported by the command that needs it."""

import gc
import importlib.metadata
import json
import logging
import signal
import sys
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class Commands(TyperGroup):
    """Commands whose failures are one line on stderr."""

    def invoke(self, ctx: Any) -> Any:
        """Run one."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            fail("stopped", INTERRUPTED)
        except typer.TyperException as error:
            fail(error.format_message(), error.exit_code)
        except Exception as error:
            fail(str(error) or type(error).__name__)


def fail(reason: str, code: int = 1) -> NoReturn:
    """Say why on stderr and leave."""
    typer.echo(f"ffstream: {reason}", err=True)
    raise typer.Exit(code)


def print_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"ffstream {importlib.metadata.version('ffstream')}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.callback()
def ffstream(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Forward-Forward networks that keep learning while they serve."""
    logging.getLogger("stamina").setLevel(logging.ERROR)


class ChainName(StrEnum):
    """Where the layers run."""

    RAY = "ray"
    IN_PROCESS = "in-process"


class TaskName(StrEnum):
    """What a network learns: frames of numbers with labels, sequences of symbols, or square images without labels."""

    FRAMES = "frames"
    SEQUENCE = "sequence"
    UNSUPERVISED = "unsupervised"


class MethodName(StrEnum):
    """How a label is chosen."""

    ONE_PASS = "one_pass"
    GOODNESS = "goodness"
    SHORTLIST = "shortlist"


DATASETS = "digits, openml:NAME, a folder of MNIST files or an .npz file."
Url = Annotated[str, typer.Option(envvar="FFSTREAM_URL", help="Of the service.")]
DatasetName = Annotated[
    str, typer.Argument(metavar="DATASET", help="digits, openml:NAME, a folder of MNIST files or an .npz file.")
]
HERE = "http://127.0.0.1:8000"
AsJson = Annotated[bool, typer.Option("--json", help="What the service answers, as one line of JSON.")]


def say(answer: Any, as_json: bool, lines: Iterable[str]) -> None:
    """Print an answer of the service as JSON, or else as these lines."""
    for line in [json.dumps(answer)] if as_json else lines:
        typer.echo(line)


def interruptible(*signals: signal.Signals) -> None:
    """Have these signals end the command as Ctrl-C does, also where the shell had it ignore them."""
    for each in signals:
        signal.signal(each, signal.default_int_handler)


def agreed(question: str) -> bool:
    """Ask on stderr, so that stdout has the answer of the service alone; no answer is a no."""
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@app.command()
def serve(
    ctx: typer.Context,
    settings: Annotated[Path | None, typer.Option(help="TOML file with settings; flags and FFSTREAM_* win.")] = None,
    host: Annotated[str | None, typer.Option(help="To listen on. [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="To listen on; 0 for a free one. [8000]")] = None,
    folder: Annotated[Path | None, typer.Option(help="Of the journal and the snapshots. [ffstream-data]")] = None,
    chain: Annotated[ChainName | None, typer.Option(help="Where the layers run. [ray]")] = None,
    task: Annotated[TaskName | None, typer.Option(help="What a new network learns. [frames]")] = None,
    alphabet: Annotated[
        str | None, typer.Option(help="Of a sequence: letters, bytes, tokens:N or the characters. [letters]")
    ] = None,
    context: Annotated[int | None, typer.Option(help="Symbols from which the next is predicted. [10]")] = None,
    like: Annotated[str | None, typer.Option(help="Data set whose frames and labels a new network takes.")] = None,
    inputs: Annotated[int | None, typer.Option(help="Numbers in a frame. [64]")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of labels. [10]")] = None,
    units: Annotated[str | None, typer.Option(help="Width of every layer. [500,500]")] = None,
    batch: Annotated[int | None, typer.Option(help="Frames in a micro-batch. [25]")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the first weights and of every dream. [0]")] = None,
    precision: Annotated[str | None, typer.Option(help="Of large products: float32, or bfloat16. [float32]")] = None,
    ticks: Annotated[str | None, typer.Option(help="Steps of a recurrent network on a frame. [never]")] = None,
    clip: Annotated[int | None, typer.Option(help="Pictures in a frame; they are its ticks. [1]")] = None,
    every: Annotated[str | None, typer.Option(help="Labelled frames between two sleeps, or never. [125]")] = None,
    idle: Annotated[str | None, typer.Option(help="Seconds without frames before an owed sleep, or never. [5]")] = None,
    dreams_per_frame: Annotated[float | None, typer.Option(help="Negatives for every labelled frame. [1]")] = None,
    cycle: Annotated[int | None, typer.Option(help="Batches of positives replayed before as many of dreams. [0]")] = None,
    enough: Annotated[str | None, typer.Option(help="Share of rows still learned from that ends a phase. [never]")] = None,
    drift: Annotated[str | None, typer.Option(help="When the stream changes: tell, sleep, forget, or never. [tell]")] = None,
    backlog: Annotated[int | None, typer.Option(help="Frames that may wait to be learned. [20000]")] = None,
    max_body: Annotated[str | None, typer.Option(help="Bytes in a request. [64 MiB]")] = None,
    label_lifetime: Annotated[int | None, typer.Option(help="Frames after which a label comes too late. [10000]")] = None,
    snapshot_every: Annotated[str | None, typer.Option(help="Events between two snapshots, or never. [1000]")] = None,
    snapshots_kept: Annotated[int | None, typer.Option(help="Snapshots that are kept. [3]")] = None,
    power_safe: Annotated[bool | None, typer.Option(help="Make accepted frames survive a power cut.")] = None,
    drain_seconds: Annotated[float | None, typer.Option(help="To learn what waits, when told to stop. [60]")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error. [warning]")] = None,
) -> None:
    """Serve over HTTP: learn what is fed, classify what is asked. Ctrl-C stops it in order."""
    interruptible(signal.SIGINT, signal.SIGTERM)
    gc.disable()  # until it listens: looking at what importing makes, none of which goes away, is a fifth of the start
    from ffstream.errors import ConfigError
    from ffstream_gateway.listen import listen

    flags = {name: value for name, value in ctx.params.items() if value is not None and name != "settings"}
    try:
        listen(flags, settings)
    except ConfigError as error:
        fail(str(error), 2)


@app.command()
def feed(
    dataset: Annotated[str | None, typer.Argument(metavar="DATASET", help=DATASETS)] = None,
    url: Url = HERE,
    passes: Annotated[int, typer.Option(min=1, help="Over the data set, each in a random order of its own.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Frames in all; of a video, clips.")] = None,
    chunk: Annotated[int, typer.Option(min=1, help="Frames in a request.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the order.")] = 0,
    video: Annotated[str | None, typer.Option(metavar="FILE|CAMERA", help="To feed instead, clip by clip.")] = None,
    given: Annotated[int | None, typer.Option("--label", min=0, help="What is to be seen in all of the video.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Lines SECONDS,LABEL: what is to be seen in it from when on.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Of a picture; a square if not given.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Pictures a second; all if not given.")] = None,
    in_time: Annotated[bool, typer.Option("--in-time", help="As fast as the video plays, and no faster.")] = False,
) -> None:
    """Stream a data set or a video to a service; ends when all of it has been learned."""
    if (dataset is None) == (video is None):
        fail("expected a DATASET, or --video", 2)
    if video is not None:
        from ffstream_gateway.feed_video import Wanted, feed_video

        feed_video(url, Wanted(video, width, rate, in_time, limit), given, labels)
        return
    from ffstream.datasets import load
    from ffstream_gateway.client import Client
    from ffstream_gateway.feeding import feed_and_follow
    from ffstream_gateway.view import FeedBar, percent

    data = load(str(dataset))
    order = data.order(passes, seed)[:limit]
    with Client(url) as client:
        before = client.status()["accepted"]
        start = time.monotonic()
        with FeedBar(len(order)) as bar:
            for status in feed_and_follow(client, data, order, chunk):
                bar.show(max(0, status["frames"] - before), status)
        seconds = time.monotonic() - start
    typer.echo(
        f"learned {len(order)} frames in {seconds:.1f} s; prequential accuracy {percent(status['accuracy'])} of the last 500"
    )


@app.command()
def read(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Text in UTF-8.")],
    url: Url = HERE,
    passes: Annotated[int, typer.Option(min=1, help="Over the text.")] = 1,
    chunk: Annotated[int, typer.Option(min=1, help="Symbols in a request.")] = 500,
) -> None:
    """Stream a text, in order, to a service that learns sequences; ends when all of it has been learned."""
    import numpy as np

    from ffstream_gateway.client import Client
    from ffstream_gateway.feeding import feed_and_follow, text_for
    from ffstream_gateway.view import FeedBar, percent

    with Client(url) as client:
        before = client.status()
        data = text_for(before, file)
        order = np.tile(np.arange(len(data.x)), passes)
        with FeedBar(len(order)) as bar:
            for status in feed_and_follow(client, data, order, chunk):
                bar.show(max(0, status["frames"] - before["accepted"]), status)
    typer.echo(f"learned {len(order)} symbols; {percent(status['accuracy'])} of the last 500 were foreseen")


@app.command()
def generate(
    text: Annotated[str, typer.Argument(help="What to go on from; at least a window of it.")],
    url: Url = HERE,
    length: Annotated[int, typer.Option(min=1, help="Symbols to generate.")] = 100,
    temperature: Annotated[float, typer.Option(help="Below 1 for what is likely, above 1 for surprises.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="The same weights and seed say the same.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Let a service that learns sequences go on with a text."""
    from ffstream_gateway.client import Client

    with Client(url) as client:
        answer = client.generate(text, length, temperature, seed)
    say(answer, as_json, [answer["text"]])


@app.command()
def classify(
    dataset: DatasetName,
    url: Url = HERE,
    method: Annotated[MethodName | None, typer.Option(help="How a label is chosen; the service decides if not given.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Frames at most.")] = None,
) -> None:
    """Classify the held-out part of a data set and say how much of it was right."""
    from ffstream.datasets import load
    from ffstream_gateway.client import Client
    from ffstream_gateway.feeding import accuracy
    from ffstream_gateway.view import percent

    data = load(dataset)
    with Client(url) as client:
        share = accuracy(client, data, method, limit)
        typer.echo(f"{percent(share)} of {len(data.x_held[:limit])} held-out frames right")


@app.command()
def status(url: Url = HERE, as_json: AsJson = False) -> None:
    """Say what a service is doing and has learned."""
    from ffstream_gateway.client import Client
    from ffstream_gateway.view import describe

    with Client(url) as client:
        answer = client.status()
    say(answer, as_json, describe(answer))


@app.command()
def sleep(
    url: Url = HERE,
    dreams: Annotated[int | None, typer.Option(min=1, help="Negatives; what is owed if not given.")] = None,
) -> None:
    """Send a service to sleep."""
    from ffstream_gateway.client import Client

    with Client(url) as client:
        answer = client.sleep(dreams)
    typer.echo(f"asleep for {answer['dreams']} dreams, event {answer['seq']}")


@app.command()
def label(
    given: Annotated[list[str] | None, typer.Argument(metavar="ID=LABEL...", help="Frame numbers and their labels.")] = None,
    url: Url = HERE,
    file: Annotated[
        typer.FileText | None, typer.Option(help='Lines ID,LABEL or {"id": ID, "label": LABEL}; - for stdin.')
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Teach frames that were fed without a label, all or none."""
    from ffstream_gateway.client import Client
    from ffstream_gateway.late_labels import from_arguments, from_lines

    try:
        pairs = from_arguments(given or ()) + from_lines(file or ())
    except ValueError as error:
        fail(str(error), 2)
    if not pairs:
        fail("no label given: expected ID=LABEL like 12=3, or --file", 2)
    with Client(url) as client:
        client.state()  # labelling would try for long to reach nobody
        answer = client.label([number for number, _ in pairs], [label for _, label in pairs])
    first, last = answer["first"], answer["last"]
    frames = f"frame {first}" if first == last else f"frames {first} to {last}"
    say(answer, as_json, [f"labels accepted: {answer['frames']}, to be learned as {frames}"])


@app.command()
def frame(
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="Of the frame.")], url: Url = HERE, as_json: AsJson = False
) -> None:
    """Say what has become of a frame."""
    from ffstream_gateway.client import Client
    from ffstream_gateway.view import describe_frame

    with Client(url) as client:
        answer = client.frame(number)
    say(answer, as_json, describe_frame(answer))


@app.command()
def snapshot(url: Url = HERE, as_json: AsJson = False) -> None:
    """Have a service save everything, beside the learning."""
    from ffstream_gateway.client import Client

    with Client(url) as client:
        answer = client.snapshot()
    say(answer, as_json, [f"snapshot {answer['seq']} is being saved; `ffstream snapshots` has it as soon as it is whole"])


@app.command()
def snapshots(url: Url = HERE, as_json: AsJson = False) -> None:
    """List what a service has saved, newest first."""
    from ffstream_gateway.client import Client
    from ffstream_gateway.view import describe_snapshots

    with Client(url) as client:
        answer = client.snapshots()
    say(answer, as_json, describe_snapshots(answer))


@app.command()
def restore(
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="Event number of the snapshot.")],
    url: Url = HERE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have a service go back to a snapshot. Nothing is erased."""
    from ffstream_gateway.client import Client
    from ffstream_gateway.view import describe_restore

    with Client(url) as client:
        saved = {each["seq"]: each for each in client.snapshots()}
        if seq not in saved:
            there = ", ".join(map(str, saved)) or "none"
            fail(f"snapshot {seq} is not there, or not whole; whole ones: {there}")
        if not yes:
            typer.echo("\n".join(describe_restore(saved[seq], client.status())), err=True)
            if not agreed("go back?"):
                fail("nothing was restored")
        answer = client.restore(seq)
    say(answer, as_json, [f"event {answer['seq']} goes back to snapshot {seq}; what is fed now is learned on top of it"])


@app.command()
def demo(
    data: Annotated[str, typer.Option(help=DATASETS)] = "digits",
    passes: Annotated[int | None, typer.Option(min=1, help="Over the data; what suits its size if not given.")] = None,
    chain: Annotated[ChainName, typer.Option(help="Where the layers run.")] = ChainName.RAY,
    seed: Annotated[int, typer.Option(help="Of the network and of the order of frames.")] = 0,
) -> None:
    """Watch a service of its own learn a data set while it answers."""
    interruptible(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    from rich.console import Console

    from ffstream_gateway.demo import run

    run(data, passes, chain, seed, Console())
