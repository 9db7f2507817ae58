"""Everything that a journal ever held, also what it has forgotten since."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ffstream.frames import to_tensor
from ffstream.stream.events import Recorded, decode


class History:
    """Taken from the file itself, past the disk that fails, before anything in it is forgotten."""

    def __init__(self) -> None:
        self._events: dict[int, Recorded] = {}
        self._frames: dict[int, tuple[Any, int]] = {}

    def note(self, path: Path) -> None:
        """Add what is in the file now."""
        with closing(sqlite3.Connection(path)) as db:
            for seq, kind, body, at in db.execute("SELECT seq, kind, body, at FROM events"):
                self._events[seq] = Recorded(seq, decode(kind, body), at)
            for first, count, dtype, blob, labels in db.execute("SELECT first, count, dtype, frames, labels FROM chunks"):
                frames = to_tensor(np.frombuffer(blob, dtype).reshape(count, -1))
                rows = zip(frames, np.frombuffer(labels, np.int64).tolist(), strict=True)
                self._frames |= dict(enumerate(rows, start=first))

    @property
    def events(self) -> list[Recorded]:
        """Every event, in order."""
        return [self._events[seq] for seq in sorted(self._events)]

    @property
    def last_frame(self) -> int:
        """Number of the last frame."""
        return max(self._frames, default=0)

    def read(self, first: int, last: int) -> tuple[Any, Any]:
        """Frames and labels by number, as a journal gives them."""
        numbers = np.arange(first, last + 1)
        return self.recall(numbers), torch.tensor([self._frames[number][1] for number in numbers.tolist()])

    def recall(self, ids: Any) -> Any:
        """Frames by number, as a journal gives them."""
        return torch.stack([self._frames[number][0] for number in ids.tolist()])
