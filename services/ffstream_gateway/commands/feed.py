"""Commands that bring something to learn."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ffstream_gateway.commands.shell import DATASETS, HERE, AsJson, Key, Url, datasets, fail, say


class Learn(StrEnum):
    """How frames are learned: bit by bit with their micro-batch, or each in one step."""

    GRADIENT = "gradient"
    EXACT = "exact"


def feed(
    dataset: Annotated[str | None, typer.Argument(metavar="DATASET", help=DATASETS, autocompletion=datasets)] = None,
    url: Url = HERE,
    key: Key = None,
    passes: Annotated[int, typer.Option(min=1, help="Over the data set, each in a random order of its own.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Frames in all; of a video, clips.")] = None,
    chunk: Annotated[int, typer.Option(min=1, help="Frames in a request.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the order.")] = 0,
    in_order: Annotated[bool, typer.Option("--in-order", help="As the data set has it, every pass.")] = False,
    learn: Annotated[Learn, typer.Option(help="exact: every frame by itself, known at once.")] = Learn.GRADIENT,
    video: Annotated[str | None, typer.Option(metavar="FILE|CAMERA", help="To feed instead, clip by clip.")] = None,
    given: Annotated[int | None, typer.Option("--label", min=0, help="What is to be seen in all of the video.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Lines SECONDS,LABEL: what is to be seen in it from when on.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Of a picture; a square if not given.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Pictures a second; all if not given.")] = None,
    in_time: Annotated[bool, typer.Option("--in-time", help="As fast as the video plays, and no faster.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stream a data set or a video to a service; ends when all of it has been learned."""
    if (dataset is None) == (video is None):
        fail("expected a DATASET, or --video", 2)
    if video is not None:
        from ffstream_gateway.feed_video import Wanted, feed_video

        fed, lines = feed_video(url, key, Wanted(video, width, rate, in_time, limit), given, labels)
        say(fed, as_json, lines)
        return
    from ffstream.client import Client
    from ffstream.datasets import load
    from ffstream_gateway import bars
    from ffstream_gateway.feeding import fitted
    from ffstream_gateway.view import percent

    data = load(str(dataset))
    with Client(url, key=key) as client:
        before = client.status()
        data = fitted(data, before, client.url)
        order = data.order(passes, None if in_order else seed)
        fed = bars.feed(client, data, order[:limit], chunk, before, learn.value)
    accuracy = f"prequential accuracy {percent(fed.accuracy)} of the last 500"
    say(fed, as_json, [f"learned {fed.frames} frames in {fed.seconds:.1f} s; {accuracy}"])


def read(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Text in UTF-8.")],
    url: Url = HERE,
    key: Key = None,
    passes: Annotated[int, typer.Option(min=1, help="Over the text.")] = 1,
    chunk: Annotated[int, typer.Option(min=1, help="Symbols in a request.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Stream a text, in order, to a service that learns sequences; ends when all of it has been learned."""
    from ffstream.client import Client
    from ffstream_gateway import bars
    from ffstream_gateway.reading import text_for
    from ffstream_gateway.view import percent

    with Client(url, key=key) as client:
        before = client.status()
        data = text_for(before, file)
        fed = bars.feed(client, data, data.order(passes, None), chunk, before)
    say(fed, as_json, [f"learned {fed.frames} symbols; {percent(fed.accuracy)} of the last 500 were foreseen"])


def label(
    given: Annotated[list[str] | None, typer.Argument(metavar="ID=LABEL...", help="Frame numbers and their labels.")] = None,
    url: Url = HERE,
    key: Key = None,
    file: Annotated[
        typer.FileText | None, typer.Option(help='Lines ID,LABEL or {"id": ID, "label": LABEL}; - for stdin.')
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Teach frames that were fed without a label, all or none."""
    from ffstream.client import Client
    from ffstream_gateway.late_labels import from_arguments, from_lines

    try:
        pairs = from_arguments(given or ()) + from_lines(file or ())
    except ValueError as error:
        fail(str(error), 2)
    if not pairs:
        fail("no label given: expected ID=LABEL like 12=3, or --file", 2)
    with Client(url, key=key) as client:
        client.state()  # labelling would try for long to reach nobody
        answer = client.label([number for number, _ in pairs], [label for _, label in pairs])
    first, last = answer.first, answer.last
    frames = f"frame {first}" if first == last else f"frames {first} to {last}"
    say(answer, as_json, [f"labels accepted: {answer.frames}, to be learned as {frames}"])
