"""Commands about snapshots."""

from pathlib import Path
from typing import Annotated

import typer

from ffstream_gateway.commands.shell import HERE, AsJson, Key, Url, agreed, fail, say


def snapshot(url: Url = HERE, key: Key = None, as_json: AsJson = False) -> None:
    """Have a service save everything, beside the learning."""
    from ffstream.client import Client

    with Client(url, key=key) as client:
        answer = client.snapshot()
    say(answer, as_json, [f"snapshot {answer.seq} is being saved; `ffstream snapshots` has it as soon as it is whole"])


def snapshots(url: Url = HERE, key: Key = None, as_json: AsJson = False) -> None:
    """List what a service has saved, newest first."""
    from ffstream.client import Client
    from ffstream_gateway.view import describe_snapshots

    with Client(url, key=key) as client:
        answer = client.snapshots()
    say(answer, as_json, describe_snapshots(answer))


def restore(
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="Event number of the snapshot.")],
    url: Url = HERE,
    key: Key = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have a service go back to a snapshot. Nothing is erased."""
    from ffstream.client import Client
    from ffstream_gateway.view import describe_restore

    with Client(url, key=key) as client:
        saved = {each.seq: each for each in client.snapshots()}
        if seq not in saved:
            there = ", ".join(map(str, saved)) or "none"
            fail(f"snapshot {seq} is not there, or not whole; whole ones: {there}")
        if not yes:
            typer.echo("\n".join(describe_restore(saved[seq], client.status())), err=True)
            if not agreed("go back?"):
                fail("nothing was restored")
        answer = client.restore(seq)
    say(answer, as_json, [f"event {answer.seq} goes back to snapshot {seq}; what is fed now is learned on top of it"])


def fetch(
    url: Annotated[str, typer.Argument(metavar="URL", help="Of the archive, as it was given to `ffstream serve --archive`.")],
    folder: Annotated[Path | None, typer.Option(help="New or empty. [ffstream-data]")] = None,
) -> None:
    """Bring the newest archived state of a stream into a folder, from which `ffstream serve` goes on."""
    from ffstream.stream import offsite
    from ffstream.stream.store import Store
    from ffstream_gateway.settings import Settings

    where = Settings.load({} if folder is None else {"folder": folder}).folder
    state = offsite.fetch(Store(url), where)
    typer.echo(f"{where} has the stream up to event {state.seq}; `ffstream serve --folder {where}` goes on from there")
