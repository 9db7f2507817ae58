"""Feeding a video to a service, clip by clip."""

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ffstream.client import Client, NotReadyError, Status
from ffstream_gateway.feeding import Fed
from ffstream_gateway.moving import Labels, clips, in_time, pictures, side_of_picture
from ffstream_gateway.view import percent

LOOK_EVERY = 0.25
"""Seconds between two looks at what is learned."""


@dataclass(frozen=True)
class Wanted:
    """Which video, and how it is to be seen: width of a picture, pictures a second, in its own time or not, clips at most."""

    source: str
    width: int | None
    rate: float | None
    in_time: bool
    limit: int | None


def feed_video(url: str, key: str | None, wanted: Wanted, label: int | None, labels: Path | None) -> tuple[Fed, list[str]]:
    """Decode, cut into clips and feed; returns when all is learned, what that was, as lines of text too.

    A clip gets the label of its last picture: ``label`` throughout, or that of the time in the file ``labels``, or none.

    Raises:
        ValueError: when pictures of that width do not fit the network, or the labels cannot be read.
        DatasetError: when the video cannot be decoded.
    """
    known = Labels.read(labels) if labels is not None else Labels([] if label is None else [(0.0, label)])
    with Client(url, key=key) as client:
        network = client.status().network
        length = (network.get("video") or {"clip": 1})["clip"]
        wide, high = side_of_picture(network["inputs"] // length, wanted.width)
        seen = pictures(wanted.source, wide, high, wanted.rate)
        fed, last, start = 0, 0, time.monotonic()
        for clip in islice(clips(in_time(seen) if wanted.in_time else seen, length), wanted.limit):
            last = client.feed(clip.frame[None], [known.at(clip.at)]).last
            fed += 1
        status = _followed(client, last)
    line = f"learned {fed} clips of {length} pictures, {wide} x {high}; prequential {percent(status.accuracy)}"
    return Fed(fed, time.monotonic() - start, status.accuracy), [line]


def _followed(client: Client, last: int) -> Status:
    """The status once frame ``last`` is learned."""
    while True:
        status = client.status()
        if status.state == "failed":
            raise NotReadyError(f"the service has failed: {status.error}")
        if status.through >= last:
            return status
        time.sleep(LOOK_EVERY)
