"""What the tests of the command line share: a real HTTP server that answers what a test tells it to, and a command to run."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest


@dataclass
class Asked:
    verb: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: deque[tuple[int, bytes, dict[str, str]] | None] = deque()
        script = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                script.asked.append(Asked(self.command, self.path, dict(self.headers), body))
                answer = script._answers.popleft()
                if answer is None:
                    return
                status, body, headers = answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(self, body: Any = None, status: int = 200, **headers: str) -> None:
        """Answer the next request like this."""
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        self._answers.append((status, raw, {name.replace("_", "-"): value for name, value in headers.items()}))

    def hang_up(self) -> None:
        """Close the connection of the next request without an answer."""
        self._answers.append(None)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    server.close()


@dataclass
class Run:
    """A running ``ffstream``; ``out`` and ``err`` are files that it writes to."""

    popen: "subprocess.Popen[bytes]"
    out: Path
    err: Path

    def wait(self, timeout: float = 60.0) -> int:
        return self.popen.wait(timeout)

    @property
    def said(self) -> str:
        return self.out.read_text()

    @property
    def complained(self) -> str:
        return self.err.read_text()


@pytest.fixture
def ffstream(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts ``ffstream ARGUMENTS``, told ``stdin``, with ``tmp_path`` as the place for temporary folders."""
    runs: list[Run] = []

    def start(*arguments: object, stdin: str = "") -> Run:
        out, err = tmp_path / f"out-{len(runs)}", tmp_path / f"err-{len(runs)}"
        (tmp_path / "tmp").mkdir(exist_ok=True)
        own = {"TMPDIR": str(tmp_path / "tmp"), "OMP_NUM_THREADS": "1", "FFSTREAM_FOLDER": str(tmp_path / "data")}
        command = [sys.executable, "-m", "ffstream_gateway", *map(str, arguments)]
        with out.open("wb") as stdout, err.open("wb") as stderr:
            given = tmp_path / f"in-{len(runs)}"
            given.write_text(stdin)
            with given.open("rb") as file:
                popen = subprocess.Popen(command, stdin=file, stdout=stdout, stderr=stderr, env=os.environ | own, cwd=tmp_path)
        runs.append(Run(popen, out, err))
        return runs[-1]

    yield start
    for run in runs:
        if run.popen.poll() is None:
            for member in psutil.Process(run.popen.pid).children(recursive=True):
                member.kill()
            run.popen.kill()
            run.popen.wait()
