"""A service as a child of this program: started in a folder of its own, stopped in order, never left behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from ffstream.client import ClientError

START_WITHIN = 60.0
STOP_WITHIN = 45.0
LEFT_WITHIN = 5.0
"""Seconds: until the child must listen, from the signal until it must be gone, and after it what it has started."""

LAST_LINES = 15
"""Of the child's log, shown when it fails."""


class ChildError(ClientError):
    """The service did not start, died, or did not stop in order."""


class Child:
    """``ffstream serve`` on a free port of loopback, with a temporary folder that goes when it goes.

    At the end of the context the child is asked to stop, and killed with all its descendants when it does not obey. When it
    died before, or did not stop in order, the error shows the end of its log.

    Args:
        flags: of ``ffstream serve``, after ``--port`` and ``--folder``.

    ``process`` is the service's; ``log`` is the file that it complains to.
    """

    def __init__(self, flags: Sequence[str]) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="ffstream-"))
        self.log = self._home / "log"
        self._said = self._home / "said"
        command = [sys.executable, "-P", "-m", "ffstream_gateway", "serve", "--host", "127.0.0.1", "--port", "0"]
        command += ["--folder", str(self._home / "data"), *flags]
        with self.log.open("wb") as log, self._said.open("wb") as said:
            self._popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=log, start_new_session=True)
        self.process = psutil.Process(self._popen.pid)
        self._family = {self.process}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        died = kind is not None and issubclass(kind, ClientError) and self._gone_by_itself()
        fault = ""
        try:
            fault = self._stop()
        finally:
            self._kill()
            log = self._last_lines()
            shutil.rmtree(self._home, ignore_errors=True)
        if died:
            raise ChildError(f"the service has died (exit code {self._popen.returncode}){log}")
        if kind is None and fault:
            raise ChildError(f"the service {fault}{log}")

    def _gone_by_itself(self) -> bool:
        """Whether it has died: a broken connection is noticed a moment before."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(0.5)
        return self._popen.returncode is not None

    def url(self) -> str:
        """Where it listens; waits until it does.

        Raises:
            ChildError: when it does not come to that.
        """
        end = time.monotonic() + START_WITHIN
        while time.monotonic() < end:
            self.check()
            said = self._said.read_text()
            if said.endswith("\n"):
                return said.split()[-1]
            time.sleep(0.05)
        raise ChildError(f"the service does not listen after {START_WITHIN:.0f} s{self._last_lines()}")

    def check(self) -> None:
        """Make sure that it lives.

        Raises:
            ChildError: when it does not.
        """
        self._look()
        if self._popen.poll() is not None:
            raise ChildError("the service has died")

    def _last_lines(self) -> str:
        """The end of the log, on lines of its own."""
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "".join(f"\n  | {line}" for line in ["its log ends with:", *lines]) if lines else "; its log is empty"

    def _stop(self) -> str:
        """Ask it to stop; what it did wrong, if anything."""
        self._look()
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGINT)
        try:
            code = self._popen.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._look()
            return f"did not stop within {STOP_WITHIN:.0f} s"
        left = psutil.wait_procs(self._family, timeout=LEFT_WITHIN)[1]
        if left:
            return f"has left behind {', '.join(str(each) for each in left)}"
        return f"ended with exit code {code}" if code else ""

    def _look(self) -> None:
        """Remember the descendants that live now: once their parent is gone they cannot be found any more."""
        with suppress(psutil.NoSuchProcess):
            self._family |= set(psutil.Process(self._popen.pid).children(recursive=True))

    def _kill(self) -> None:
        """End whatever is left, the group as a whole and descendants with a group of their own."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        for member in self._family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        self._popen.wait()
        psutil.wait_procs(self._family, timeout=LEFT_WITHIN)
