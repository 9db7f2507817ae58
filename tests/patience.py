"""Waiting in tests for what another thread or process does."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def until(condition: Callable[[], Any], seconds: float = 20.0, *, in_spite_of: type[Exception] | tuple[()] = ()) -> Any:
    """What ``condition`` gives once it is true; errors ``in_spite_of`` which it is asked again count as false."""
    end = time.monotonic() + seconds
    while True:
        with suppress(in_spite_of):
            if found := condition():
                return found
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
