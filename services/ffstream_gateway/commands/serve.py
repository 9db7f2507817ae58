"""Commands that run a service."""

import gc
import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ffstream_gateway.commands.shell import DATASETS, datasets, fail, interruptible


class ChainName(StrEnum):
    """Where the layers run."""

    RAY = "ray"
    IN_PROCESS = "in-process"


class TaskName(StrEnum):
    """What a network learns: frames of numbers with labels, sequences of symbols, or square images without labels."""

    FRAMES = "frames"
    SEQUENCE = "sequence"
    UNSUPERVISED = "unsupervised"


def serve(
    ctx: typer.Context,
    settings: Annotated[Path | None, typer.Option(help="TOML file with settings; flags and FFSTREAM_* win.")] = None,
    host: Annotated[str | None, typer.Option(help="To listen on. [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="To listen on; 0 for a free one. [8000]")] = None,
    folder: Annotated[Path | None, typer.Option(help="Of the journal and the snapshots. [ffstream-data]")] = None,
    keys: Annotated[Path | None, typer.Option(help="File of the keys. [keys.json in the folder]")] = None,
    open_metrics: Annotated[bool | None, typer.Option(help="Let /metrics be read without a key.")] = None,
    chain: Annotated[ChainName | None, typer.Option(help="Where the layers run. [ray]")] = None,
    devices: Annotated[str | None, typer.Option(help='Where layers compute, like {"layers": "cuda"}. [cpu]')] = None,
    placement: Annotated[
        str | None, typer.Option(help="Of layers on the cluster of RAY_ADDRESS: pack or spread. [pack]")
    ] = None,
    resources: Annotated[
        str | None,
        typer.Option(help='Kept for parts there, like {"layers": {"CPU": 1}, "layer-0": {"GPU": 1}}. [1 CPU a layer]'),
    ] = None,
    node_ip: Annotated[str | None, typer.Option(help="Node to join it at, where this machine has several. [any]")] = None,
    readers: Annotated[int | None, typer.Option(help="Processes that answer /classify beside this one. [0]")] = None,
    task: Annotated[TaskName | None, typer.Option(help="What a new network learns. [frames]")] = None,
    alphabet: Annotated[
        str | None, typer.Option(help="Of a sequence: letters, bytes, tokens:N or the characters. [letters]")
    ] = None,
    context: Annotated[int | None, typer.Option(help="Symbols from which the next is predicted. [10]")] = None,
    like: Annotated[
        str | None, typer.Option(help="Data set whose frames and labels a new network takes.", autocompletion=datasets)
    ] = None,
    inputs: Annotated[int | None, typer.Option(help="Numbers in a frame. [64]")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of labels. [10]")] = None,
    max_classes: Annotated[str | None, typer.Option(help="Labels that it may grow to know, or none. [none]")] = None,
    units: Annotated[str | None, typer.Option(help="Width of every layer. [500,500]")] = None,
    batch: Annotated[int | None, typer.Option(help="Frames in a micro-batch. [25]")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the first weights and of every dream. [0]")] = None,
    precision: Annotated[str | None, typer.Option(help="Of large products: float32, bfloat16 or auto. [float32]")] = None,
    standardize: Annotated[bool | None, typer.Option(help="Scale the columns of a table by what is seen of them.")] = None,
    ticks: Annotated[str | None, typer.Option(help="Steps of a recurrent network on a frame. [never]")] = None,
    clip: Annotated[int | None, typer.Option(help="Pictures in a frame; they are its ticks. [1]")] = None,
    network: Annotated[
        str | None, typer.Option(help='More of a new network, as NetworkConfig has it, like {"layer": {"blocks": 4}}. [{}]')
    ] = None,
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
    archive: Annotated[str | None, typer.Option(help="URL of a store that gets every snapshot and the journal. [none]")] = None,
    power_safe: Annotated[bool | None, typer.Option(help="Make accepted frames survive a power cut.")] = None,
    drain_seconds: Annotated[float | None, typer.Option(help="To learn what waits, when told to stop. [60]")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error. [warning]")] = None,
    log_format: Annotated[str | None, typer.Option(help="Of log lines: text, or json. [text]")] = None,
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


def demo(
    data: Annotated[str, typer.Option(help=DATASETS, autocompletion=datasets)] = "digits",
    passes: Annotated[int | None, typer.Option(min=1, help="Over the data; what suits its size if not given.")] = None,
    chain: Annotated[ChainName, typer.Option(help="Where the layers run.")] = ChainName.RAY,
    seed: Annotated[int, typer.Option(help="Of the network and of the order of frames.")] = 0,
) -> None:
    """Watch a service of its own learn a data set while it answers."""
    interruptible(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    from rich.console import Console

    from ffstream_gateway.demo import run

    run(data, passes, chain, seed, Console())
