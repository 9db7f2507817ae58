"""Pages that are made of the code: every route of the OpenAPI document, and what every command says of itself."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import typer.main

from ffstream_gateway.app import create_app
from ffstream_gateway.cli import app as command_line
from ffstream_gateway.settings import Settings

COLUMNS = 100


def write(folder: Path) -> None:
    """Write the pages into ``folder``, where they have changed."""
    folder.mkdir(exist_ok=True)
    for name, lines in (("openapi", openapi()), ("commands", commands())):
        path, text = folder / f"{name}.md", "\n".join(lines) + "\n"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def document() -> dict[str, Any]:
    """The OpenAPI document of a service that learns sequences: it has all routes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(folder=Path(folder) / "data", chain="in-process", task="sequence", units="8")
        app = create_app(settings)
        try:
            return app.openapi()
        finally:
            app.state.service.stream.journal.close()


def openapi() -> Iterator[str]:
    """Every operation: what it does, takes and answers."""
    described = document()
    yield "# Routes"
    yield ""
    yield "Made of the OpenAPI document, which a running service gives at `/openapi.json` and shows at `/docs`. WebSockets, and"
    yield "what holds for all routes, are in [HTTP](../http.md)."
    for path, verbs in described["paths"].items():
        for verb, operation in verbs.items():
            yield from _operation(verb.upper(), path, operation, described["components"]["schemas"])


def _operation(verb: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    scopes = [scope for each in operation.get("security", ()) for scope in each["bearer"]]
    yield from ("", f"## `{verb} {path}`", "", operation.get("description", ""), "")
    yield f"Key: {' or '.join(f'`{scope}`' for scope in scopes) if scopes else 'none'}."
    for parameter in operation.get("parameters", ()):
        said = parameter.get("description") or parameter["schema"].get("description") or ""
        yield from (
            "",
            f"- `{parameter['name']}` ({parameter['in']}{', required' if parameter.get('required') else ''}) {said}",
        )
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield from ("", f"Takes `{kind}`{':' if _example(media, schemas) else '.'}")
        yield from _shown(_example(media, schemas))
    for status, answer in sorted(operation["responses"].items()):
        for kind, media in answer.get("content", {}).items():
            if int(status) < 300:
                yield from ("", f"Answers `{status}` with `{kind}`{':' if _example(media, schemas) else '.'}")
                yield from _shown(_example(media, schemas))
    refusals = [
        f"`{status}` {answer['description']}" for status, answer in sorted(operation["responses"].items()) if status >= "400"
    ]
    if refusals:
        yield from ("", f"Refuses with {', '.join(refusals)}.")


def _example(media: dict[str, Any], schemas: dict[str, Any]) -> Any:
    schema = media.get("schema", {})
    for each in schema.get("anyOf", [schema]):
        name = each.get("$ref", "").rpartition("/")[2]
        if name and schemas[name].get("examples"):
            return schemas[name]["examples"][0]
    return media.get("example")


def _shown(example: Any) -> Iterator[str]:
    if example is None:
        return
    text = example if isinstance(example, str) else json.dumps(example)
    short = text if len(text) <= COLUMNS else f"{text[:COLUMNS]} ..."
    yield from ("", "```json" if short == text else "```text", short, "```")


def commands() -> Iterator[str]:
    """What ``--help`` says of every command."""
    os.environ |= {"COLUMNS": str(COLUMNS), "TERM": "dumb", "NO_COLOR": "1"}
    yield "# Commands"
    group = typer.main.get_command(command_line)
    yield from _helps(group, "ffstream")


def _helps(command: Any, name: str, parent: Any = None) -> Iterator[str]:
    context = click.Context(
        command, info_name=name.split()[-1], parent=parent, terminal_width=COLUMNS, max_content_width=COLUMNS
    )
    yield from ("", f"## `{name}`", "", "```text", command.get_help(context).strip(), "```")
    for each in getattr(command, "commands", {}).values():
        yield from _helps(each, f"{name} {each.name}", context)
