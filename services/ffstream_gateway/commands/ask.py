"""Commands that ask and change nothing."""

import signal
from enum import StrEnum
from typing import Annotated

import typer

from ffstream_gateway.commands.shell import HERE, AsJson, DatasetName, Key, Url, interruptible, say


class MethodName(StrEnum):
    """How a label is chosen."""

    ONE_PASS = "one_pass"
    GOODNESS = "goodness"
    SHORTLIST = "shortlist"


def classify(
    dataset: DatasetName,
    url: Url = HERE,
    key: Key = None,
    method: Annotated[MethodName | None, typer.Option(help="How a label is chosen; the service decides if not given.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Frames at most.")] = None,
    as_json: AsJson = False,
) -> None:
    """Classify the held-out part of a data set and say how much of it was right."""
    from ffstream.client import Client
    from ffstream.datasets import load
    from ffstream_gateway.bars import counted
    from ffstream_gateway.feeding import fitted, held_out
    from ffstream_gateway.view import percent

    data = load(dataset)
    with Client(url, key=key) as client:
        data = fitted(data, client.status(), client.url)
        chunks = list(counted(held_out(client, data, method, limit), len(data.x_held[:limit])))
    labels = [label for each in chunks for label in each.labels.tolist()]
    accuracy = float((data.y_held[:limit] == labels).mean())
    answer = {
        "frames": len(labels),
        "accuracy": accuracy,
        "method": chunks[0].method,
        "seq": chunks[-1].seq,
        "status": chunks[-1].status,
        "labels": labels,
    }
    if chunks[0].names is not None:
        answer["names"] = [name for each in chunks for name in each.names or ()]
    say(answer, as_json, [f"{percent(accuracy)} of {len(labels)} held-out frames right"])


def generate(
    text: Annotated[str, typer.Argument(help="What to go on from; at least a window of it.")],
    url: Url = HERE,
    key: Key = None,
    length: Annotated[int, typer.Option(min=1, help="Symbols to generate.")] = 100,
    temperature: Annotated[float, typer.Option(help="Below 1 for what is likely, above 1 for surprises.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="The same weights and seed say the same.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Let a service that learns sequences go on with a text."""
    from ffstream.client import Client

    with Client(url, key=key) as client:
        answer = client.generate(text, length, temperature, seed)
    say(answer, as_json, [answer.text])


def frame(
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="Of the frame.")],
    url: Url = HERE,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Say what has become of a frame."""
    from ffstream.client import Client
    from ffstream_gateway.view import describe_frame

    with Client(url, key=key) as client:
        answer = client.frame(number)
    say(answer, as_json, describe_frame(answer))


def status(
    url: Url = HERE,
    key: Key = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Say what a service is doing and has learned."""
    from ffstream.client import Client
    from ffstream_gateway.view import describe

    with Client(url, key=key, timeout=10.0) as client:
        answer = client.status()
        if watch:
            from ffstream_gateway.watch import look_again

            interruptible(signal.SIGINT, signal.SIGTERM)
            look_again(client, answer, interval, as_json)
        else:
            say(answer, as_json, describe(answer))
