"""Commands about the keys that let callers in."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ffstream_gateway.commands.shell import fail

app = typer.Typer(help="Make, list and remove the keys that let callers in.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option(help="Of the service. [ffstream-data]")]
File = Annotated[Path | None, typer.Option(help="Of the keys. [keys.json in the folder]")]
Toml = Annotated[Path | None, typer.Option(help="TOML file with settings of the service.")]


def file_of(folder: Path | None, file: Path | None, settings: Path | None) -> Path:
    """Where a service with these settings has its keys."""
    from ffstream_gateway.settings import Settings

    given = {"folder": folder, "keys": file}
    return Settings.load({name: path for name, path in given.items() if path is not None}, settings).keys_file


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Whose it is: small letters, digits and hyphens.")],
    scope: Annotated[list[str], typer.Option(help="What for: feed, classify or admin; may be given more than once.")],
    rate: Annotated[str | None, typer.Option(help="Requests and messages at most, like 100/second.")] = None,
    folder: Folder = None,
    file: File = None,
    settings: Toml = None,
) -> None:
    """Make a key and print it, this once; a running service knows it at once."""
    from ffstream_gateway import keys

    unknown = [each for each in scope if each not in list(keys.Scope)]
    if unknown:
        fail(f"scope: got {unknown[0]!r}, expected some of {', '.join(keys.Scope)}", 2)
    typer.echo(keys.add(file_of(folder, file, settings), name, map(keys.Scope, scope), rate))


@app.command("list")
def list_(folder: Folder = None, file: File = None, settings: Toml = None) -> None:
    """List the names of keys, with what they are for."""
    from ffstream_gateway import keys

    found = keys.keys_in(file_of(folder, file, settings))
    for key in found.values():
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(key.made))
        typer.echo(f"{key.name:20}  {', '.join(key.scopes):20}  {key.rate or 'any rate':14}  made {made}")
    if not found:
        typer.echo("no key yet; `ffstream keys add` makes one")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="Of the key.")],
    folder: Folder = None,
    file: File = None,
    settings: Toml = None,
) -> None:
    """Take a key away; a running service refuses it at once."""
    from ffstream_gateway import keys

    path = file_of(folder, file, settings)
    if not keys.remove(path, name):
        typer.echo(f"no key is left, and nobody is let in; a service on loopback needs none once {path} is gone", err=True)
