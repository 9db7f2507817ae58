"""The command that measures a running service."""

from typing import Annotated

import typer

from ffstream_gateway.commands.shell import DATASETS, HERE, AsJson, Key, Url, agreed, datasets, fail, say


def bench(
    dataset: Annotated[
        str | None,
        typer.Argument(metavar="DATASET", help=f"{DATASETS} Random frames if not given.", autocompletion=datasets),
    ] = None,
    url: Url = HERE,
    key: Key = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="To measure for.")] = 10.0,
    classify_only: Annotated[bool, typer.Option("--classify-only", help="Ask, and feed nothing.")] = False,
    seed: Annotated[int, typer.Option(help="Of random frames.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before feeding.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a running service, which learns what it is fed: frames a second, and how long questions take meanwhile."""
    from ffstream.client import Client
    from ffstream.datasets import load
    from ffstream_gateway.bench import describe, load_of, measure, noise_for
    from ffstream_gateway.feeding import fitted

    data = None if dataset is None else load(dataset)
    with Client(url, key=key) as client:
        status = client.status()
        if data is not None:
            data = fitted(data, status, client.url)
        if not (classify_only or yes):
            what = "random frames with random labels" if data is None else f"{data.name}, over and over,"
            typer.echo(f"this feeds {what} into the model at {client.url} for {seconds:g} s; it learns them", err=True)
            typer.echo("`ffstream snapshot` first, for a way back; --classify-only feeds nothing", err=True)
            if not agreed("feed it?"):
                fail("nothing was fed")
        used = noise_for(status, seed) if data is None else load_of(data)
        measured = measure(client, used, seconds, feeds=not classify_only)
    say(measured, as_json, describe(measured))
