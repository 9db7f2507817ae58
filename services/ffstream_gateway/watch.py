"""The status of a service, looked at again and again."""

import time
from collections.abc import Iterator
from contextlib import suppress

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ffstream.client import Client, Status, UnreachableError
from ffstream.client.answers import to_json
from ffstream_gateway.view import describe, summary

UNREACHABLE = {"state": "unreachable"}
"""What stands for a look at nobody, as JSON."""

Look = Status | UnreachableError


def look_again(client: Client, first: Status, interval: float, as_json: bool) -> None:
    """Show the status until Ctrl-C: in place where there is a terminal, else a line a look.

    A service that cannot be reached is waited for.

    Args:
        client: of the service.
        first: what it has said already.
        interval: seconds between two looks.
        as_json: whether to print lines of JSON.
    """
    console = Console()
    with suppress(KeyboardInterrupt):
        if console.is_terminal and not as_json:
            show_in_place(looks(client, first, interval), console)
        for look in looks(client, first, interval):
            if as_json:
                typer.echo(to_json(look if isinstance(look, Status) else UNREACHABLE))
            else:
                typer.echo(summary(look) if isinstance(look, Status) else str(look))


def show_in_place(looks: Iterator[Look], console: Console) -> None:
    """Show each look in place of the one before; the last lines stay while nobody answers."""
    lines: list[str] = []
    with Live(console=console, auto_refresh=False) as live:
        for look in looks:
            if isinstance(look, Status):
                lines, since = list(describe(look)), time.monotonic()
                shown = lines
            else:
                shown = [*lines, f"{time.monotonic() - since:.0f} s ago: {look}"]
            live.update(Text("\n".join(shown)), refresh=True)


def looks(client: Client, first: Status, interval: float) -> Iterator[Look]:
    """Look after look; an error where nobody answers."""
    yield first
    while True:
        time.sleep(interval)
        try:
            yield client.status()
        except UnreachableError as error:
            yield error
