"""The command line ``ffstream``."""

import logging
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ffstream import __version__
from ffstream_gateway.commands import keys
from ffstream_gateway.commands.ask import classify, frame, generate, status
from ffstream_gateway.commands.feed import feed, label, read
from ffstream_gateway.commands.measure import bench
from ffstream_gateway.commands.save import fetch, restore, snapshot, snapshots
from ffstream_gateway.commands.serve import demo, serve
from ffstream_gateway.commands.shell import fail
from ffstream_gateway.commands.steer import pause, resume, schedule, sleep

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


def print_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"ffstream {__version__}")
        raise typer.Exit


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def ffstream(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Forward-Forward networks that keep learning while they serve."""
    logging.getLogger("stamina").setLevel(logging.ERROR)


COMMANDS: tuple[Callable[..., None], ...] = (
    *(serve, feed, read, label, classify, generate, frame, status, sleep, schedule, pause, resume),
    *(snapshot, snapshots, restore, fetch, bench, demo),
)
"""In the order in which ``--help`` lists them."""

for command in COMMANDS:
    app.command()(command)

app.add_typer(keys.app, name="keys")
