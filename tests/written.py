"""What is written in Markdown: its blocks of code run as a reader would run them, against services of their own.

Python blocks of a page run one after another in one namespace. Console blocks have commands after ``$`` and, if it matters,
what they say, with ``...`` for what differs. ``ffstream serve`` starts a service with those flags, smaller and on a free port;
where a page starts none, the first block that speaks to one gets one. Commands that need another machine, or hours, are looked
at only: whether there is such a make target, such an extra, such a flag. A TOML block that begins with its name is a file.
"""

import doctest
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import typer.main
import uvicorn
from typer.testing import CliRunner

from ffstream_gateway.cli import app as command_line
from ffstream_gateway.connection import Connection
from ffstream_gateway.settings import Settings
from ffstream_gateway.several import create_service

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "benchmarks/README.md", ROOT / "deploy/README.md"]
    + [page for page in (ROOT / "docs").rglob("*.md") if "made" not in page.parts]
)
RUN = {"python", "console"}
SHOWN = {"text", "json", "toml", "yaml", "{toctree}", "{eval-rst}", "{literalinclude} ../deploy/ffstream.toml"}
"""Languages of blocks: those that run, and those that are no code to run."""

ELSEWHERE = {"docker", "podman", "kubectl", "systemctl", "systemd-analyze", "journalctl", "sudo"}
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.toml)\n")
COMMENT = re.compile(r"\s+# .*$")
LOCAL = re.compile(r"(127\.0\.0\.1|localhost):8000")
OUTPUT = doctest.OutputChecker()
SMALL = "60,60"
"""Units of a service that is not told how many."""


def blocks(page: Path) -> list[tuple[str, str, int]]:
    """Language, text and line of every block of a page."""
    text = page.read_text()
    found = list(FENCE.finditer(text))
    assert text.count("```") == 2 * len(found), f"{page}: a block is not closed"
    return [(each[1].strip(), each[2], text.count("\n", 0, each.start()) + 2) for each in found]


class Serving:
    """A service in this process, on a real socket."""

    def __init__(self, flags: dict[str, Any]) -> None:
        settings = Settings.load(flags, None)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(create_service(settings), http="h11", log_config=None, ws=Connection, access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the service has not started"
            time.sleep(0.01)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class Reading:
    """A page that is followed from top to bottom, in a folder of its own.

    Args:
        page: Markdown.
        folder: to work in; the present one.
    """

    def __init__(self, page: Path, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.environment: dict[str, str] = {}
        self._serving: Serving | None = None
        self._services = 0

    def follow(self) -> None:
        """Run every block."""
        for language, text, line in blocks(self.page):
            where = f"{self.page.relative_to(ROOT)}, line {line}"
            assert language in RUN | SHOWN, f"{where}: {language or 'no language'}: expected one of {sorted(RUN | SHOWN)}"
            if language == "python":
                text = LOCAL.sub(self._address(), text) if LOCAL.search(text) else text
                exec(compile("\n" * (line - 1) + text, str(self.page), "exec"), self.namespace)
            elif language == "console":
                self._console(text, where)
            elif language == "toml" and (named := FILE.match(text)):
                (self.folder / named[1]).write_text(text)

    def close(self) -> None:
        if self._serving is not None:
            self._serving.close()

    def _address(self) -> str:
        return self._url().removeprefix("http://")

    def _url(self) -> str:
        if self._serving is None:
            self._serve({})
        assert self._serving is not None
        return self._serving.url

    def _console(self, text: str, where: str) -> None:
        assert text.startswith("$ "), f"{where}: a console block begins with a command"
        for command in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            typed, _, expected = command.partition("\n")
            while typed.endswith("\\"):
                more, _, expected = expected.partition("\n")
                typed = typed.removesuffix("\\") + more
            said = self._typed(typed, where)
            if expected.strip() and said is not None:
                options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                assert OUTPUT.check_output(expected, said, options), f"{where}: {typed}\nexpected:\n{expected}\ngot:\n{said}"

    def _typed(self, typed: str, where: str) -> str | None:
        """What a command says; None for one that was only looked at."""
        typed = COMMENT.sub("", typed)
        words = shlex.split(typed)
        match words:
            case [name, *_] if name in ELSEWHERE:
                assert all((ROOT / word).exists() for word in words if word.startswith("deploy/")), f"{where}: {typed}"
                return None
            case ["make", *targets]:
                return look_at_make(targets, where)
            case ["pip" | ".venv/bin/pip", "install", *wanted]:
                return look_at_extras(" ".join(wanted), where)
            case ["ffstream" | ".venv/bin/ffstream", *arguments] if not set("|<>&;") & set(typed):
                return self._ffstream(arguments, where)
        return self._shell(typed, where)

    def _ffstream(self, arguments: list[str], where: str) -> str | None:
        if arguments == ["--install-completion"]:
            return None  # would be done as soon as it is looked at
        parameters = look_at_flags(arguments, where)
        if arguments[0] == "serve":
            self._serve(parameters)
            return None
        if arguments[0] in ("demo", "bench") or "--watch" in arguments or "--video" in arguments:
            return None
        own = {"FFSTREAM_URL": self._url(), **self.environment} if arguments[0] != "keys" else {}
        ran = CliRunner().invoke(command_line, arguments, env=own, input="y\n", catch_exceptions=False)
        assert ran.exit_code == 0, f"{where}: ffstream {' '.join(arguments)}: {ran.output}"
        if arguments[:2] == ["keys", "add"]:
            self.environment["FFSTREAM_KEY"] = ran.stdout.split()[-1]
        return ran.stdout

    def _serve(self, parameters: dict[str, Any]) -> None:
        self.close()
        self._services += 1
        given = {name: value for name, value in parameters.items() if value is not None and name != "settings"}
        settings = {"folder": self.folder / f"data-{self._services}", "units": SMALL, **given}
        self._serving = Serving({**settings, "chain": "in-process", "port": 0})

    def _shell(self, typed: str, where: str) -> str:
        typed = LOCAL.sub(self._address(), typed) if LOCAL.search(typed) or "ffstream" in typed else typed
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        own = {**os.environ, "PATH": path, **self.environment}
        if "ffstream" in typed:
            own["FFSTREAM_URL"] = self._url()
        ran = subprocess.run(["bash", "-c", typed], cwd=self.folder, env=own, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, f"{where}: {typed}: {ran.stderr}"
        return ran.stdout


def look_at_make(words: list[str], where: str) -> None:
    """Make sure that there are these targets."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {word for word in words if "=" not in word}
    assert asked <= targets, f"{where}: make {asked - targets}"


def look_at_extras(wanted: str, where: str) -> None:
    """Make sure that there are these extras."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for named in re.findall(r"ffstream\[([\w,]+)\]", wanted):
        assert set(named.split(",")) <= extras.keys(), f"{where}: {named}"


def look_at_flags(arguments: list[str], where: str) -> dict[str, Any]:
    """Make sure that a command understands these arguments; what it takes them for."""
    command = typer.main.get_command(command_line)
    rest = list(arguments)
    while hasattr(command, "commands") and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    try:
        with command.make_context("ffstream", rest) as context:
            return dict(context.params)
    except typer.Exit:
        return {}
    except Exception as error:
        raise AssertionError(f"{where}: ffstream {' '.join(arguments)}: {error}") from error
