"""A client of a running service: numpy in, frozen dataclasses out.

    with Client("http://127.0.0.1:8000") as client:
        client.feed(frames, labels)
        print(client.classify(frames).labels)

:class:`AsyncClient` has the same methods, awaited. Needs ``pip install 'ffstream[client]'``; importing it loads neither torch
nor the server.
"""

from ffstream.client.answers import (
    Accepted,
    Classification,
    Drift,
    Explanation,
    Feeding,
    Frame,
    Generated,
    LastSleep,
    LayerState,
    NextSymbol,
    PolarityReport,
    Prediction,
    RestorePlanned,
    Schedule,
    Seen,
    SleepPlanned,
    SleepState,
    Snapshot,
    SnapshotPlanned,
    Status,
    Verdict,
)
from ffstream.client.client import AsyncClient, Client
from ffstream.client.errors import AnswerError, ClientError, NotReadyError, RefusedError, UnreachableError

__all__ = [
    "Accepted",
    "AnswerError",
    "AsyncClient",
    "Classification",
    "Client",
    "ClientError",
    "Drift",
    "Explanation",
    "Feeding",
    "Frame",
    "Generated",
    "LastSleep",
    "LayerState",
    "NextSymbol",
    "NotReadyError",
    "PolarityReport",
    "Prediction",
    "RefusedError",
    "RestorePlanned",
    "Schedule",
    "Seen",
    "SleepPlanned",
    "SleepState",
    "Snapshot",
    "SnapshotPlanned",
    "Status",
    "UnreachableError",
    "Verdict",
]
