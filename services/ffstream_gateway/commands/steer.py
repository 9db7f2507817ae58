"""Commands that tell a service when to sleep and whether to be fed."""

from typing import Annotated, Any

import typer

from ffstream_gateway.commands.shell import HERE, AsJson, Key, Url, fail, say


def sleep(
    url: Url = HERE,
    key: Key = None,
    dreams: Annotated[int | None, typer.Option(min=1, help="Negatives; what is owed if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a service to sleep."""
    from ffstream.client import Client

    with Client(url, key=key) as client:
        answer = client.sleep(dreams)
    say(answer, as_json, [f"asleep for {answer.dreams} dreams, event {answer.seq}"])


def schedule(
    url: Url = HERE,
    key: Key = None,
    every: Annotated[str | None, typer.Option(help="Labelled frames between two sleeps, or never.")] = None,
    idle: Annotated[str | None, typer.Option(help="Seconds without frames before an owed sleep, or never.")] = None,
    dreams_per_frame: Annotated[float | None, typer.Option(help="Negatives for every labelled frame.")] = None,
    cycle: Annotated[int | None, typer.Option(help="Batches of positives replayed before as many of dreams.")] = None,
    enough: Annotated[str | None, typer.Option(help="Share of rows still learned from that ends a phase, or never.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say when a service sleeps; with options, change that first."""
    from dataclasses import replace

    from ffstream.client import Client
    from ffstream_gateway.view import describe_schedule

    plain = {"dreams_per_frame": dreams_per_frame, "cycle": cycle}
    given: dict[str, Any] = {name: value for name, value in plain.items() if value is not None}
    for name, text, kind in (("every", every, int), ("idle", idle, float), ("enough", enough, float)):
        if text is not None:
            given[name] = or_never(name, text, kind)
    with Client(url, key=key) as client:
        answer = client.schedule()
        if given:
            answer = client.schedule(replace(answer, **given))
    say(answer, as_json, describe_schedule(answer))


def or_never(name: str, text: str, kind: type[int] | type[float]) -> float | None:
    """A number, or None for never."""
    try:
        return None if text == "never" else kind(text)
    except ValueError:
        fail(f"--{name}: got {text!r}, expected a number, or never", 2)


def pause(url: Url = HERE, key: Key = None, as_json: AsJson = False) -> None:
    """Have a service take no frames until it is resumed or restarted; what was accepted is learned."""
    from ffstream.client import Client

    with Client(url, key=key) as client:
        answer = client.pause()
    say(answer, as_json, ["feeding is paused; `ffstream resume` has frames taken again"])


def resume(url: Url = HERE, key: Key = None, as_json: AsJson = False) -> None:
    """Have a service take frames again."""
    from ffstream.client import Client

    with Client(url, key=key) as client:
        answer = client.resume()
    say(answer, as_json, ["frames are taken"])
