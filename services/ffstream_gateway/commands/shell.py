"""What the commands share: how they read options, speak, ask and fail."""

import signal
import sys
from collections.abc import Iterable
from typing import Annotated, Any, NoReturn

import typer

HERE = "http://127.0.0.1:8000"
DATASETS = "digits, openml:NAME, a folder of MNIST files, a table (FILE.csv, FILE.csv:LABEL_COLUMN) or an .npz file."


def datasets(begun: str) -> list[str]:
    """Names of data sets that begin like this; a shell completes files by itself."""
    return [name for name in ("digits", "openml:mnist_784", "openml:Fashion-MNIST") if name.startswith(begun)]


DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help=DATASETS, autocompletion=datasets)]
Url = Annotated[str, typer.Option(envvar="FFSTREAM_URL", help="Of the service.")]
Key = Annotated[str | None, typer.Option(envvar="FFSTREAM_KEY", help="That the service lets in, by `ffstream keys`.")]
AsJson = Annotated[bool, typer.Option("--json", help="The answer, as one line of JSON.")]


def fail(reason: str, code: int = 1) -> NoReturn:
    """Say why on stderr and leave."""
    typer.echo(f"ffstream: {reason}", err=True)
    raise typer.Exit(code)


def say(answer: Any, as_json: bool, lines: Iterable[str]) -> None:
    """Print an answer as JSON, or else as these lines."""
    if as_json:
        from ffstream.client.answers import to_json

        lines = [to_json(answer)]
    for line in lines:
        typer.echo(line)


def interruptible(*signals: signal.Signals) -> None:
    """Have these signals end the command as Ctrl-C does, also where the shell had it ignore them."""
    for each in signals:
        signal.signal(each, signal.default_int_handler)


def agreed(question: str) -> bool:
    """Ask on stderr, so that stdout has the answer of the service alone; no answer is a no."""
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
