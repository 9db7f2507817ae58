"""The snapshots of one stream: which one it starts from, which are kept, and what the journal may forget behind them."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from ffstream.classify import Reader
from ffstream.config import NetworkConfig
from ffstream.errors import ConfigError, SnapshotError, UnknownSnapshotError
from ffstream.growth import check_growth
from ffstream.outcome import Saved
from ffstream.stage import StageWeights
from ffstream.stream.events import Grow, Restore, Wake
from ffstream.stream.journal import Journal
from ffstream.stream.lineage import Lineage
from ffstream.stream.snapshot import (
    Manifest,
    committed,
    manifests,
    read_manifest,
    read_part,
    remove_older,
    set_aside_beyond,
    write_manifest,
)

AT_ONCE = 1000
"""Events, and about as many frames, that the journal forgets in one turn of the stream."""

log = logging.getLogger(__name__)


class Archive:
    """Snapshots in a folder, and the journal that leads from each of them to the present.

    As soon as ``kept`` snapshots are there, the journal forgets what no start from any of them can ask for: events before the
    oldest, and frames that were learned before it, that none of their dreams can show, and that can take no label any more.

    Snapshots on a branch that was left count apart, and go when they are older than those on the present one.

    What each of them asks for is told by its manifest. Its other files are read when it is gone back to, and may have been
    damaged before. A start then passes over it to an older one, from which the journal leads on all the same: it forgets only
    what none of those kept asks for, whole or not. When none is whole a start is refused, unless nothing was forgotten yet.

    Args:
        root: folder for snapshots; None when nothing is saved, and nothing is forgotten.
        config: of the network as it was made.
        journal: of the stream.
        kept: snapshots that are kept.
        label_lifetime: frames that may be accepted after one before its label comes too late.
    """

    def __init__(self, root: Path | None, config: NetworkConfig, journal: Journal, *, kept: int, label_lifetime: int) -> None:
        self.root = root
        self.config = config
        self.journal = journal
        self.kept = kept
        self.label_lifetime = label_lifetime
        self._forgettable: tuple[int, int] | None = None

    def widest(self, max_classes: int | None) -> NetworkConfig:
        """The network with all labels that may come: those that it was made with, has grown to, or may grow to know.

        Raises:
            ConfigError: when it cannot grow to know ``max_classes``.
        """
        if max_classes is not None:
            if max_classes < self.config.classes:
                raise ConfigError(f"max_classes: got {max_classes}, but the network was made with {self.config.classes} labels")
            check_growth(self.config, replace(self.config, classes=max_classes))
        grew = self.journal.last(Grow.kind)
        known = grew.event.classes if grew and isinstance(grew.event, Grow) else self.config.classes
        return replace(self.config, classes=max(known, max_classes or 0))

    def whole(self) -> list[Manifest]:
        """Snapshots that are whole, newest first; one that is being written is not there yet."""
        if self.root is None:
            return []
        return list(manifests(self.root, self.config.digest(), committed(self.root)))

    def newest(self) -> Manifest | None:
        """The snapshot to start from; None for first weights.

        Raises:
            SnapshotError: when the journal has forgotten what came after it, or when it belongs to another network.
        """
        if self.root is None:
            return None
        set_aside_beyond(self.root, self.journal.last_seq)
        lineage = Lineage.of(self.journal)
        newest = next((each for each in manifests(self.root, self.config.digest()) if lineage.holds(each.seq)), None)
        self._check_way_on(self.root, lineage.after(newest.seq if newest is not None else 0))
        return newest

    def _check_way_on(self, root: Path, seq: int) -> None:
        """Refuse to start where the journal has forgotten the next event, ``seq``."""
        if seq > self.journal.last_seq or [each.seq for each in self.journal.events(seq - 1, limit=1)] == [seq]:
            return
        raise SnapshotError(
            f"{root}: no snapshot is whole from which the journal leads on, for it has forgotten event {seq}; what was learned "
            "is lost unless a copy of a snapshot is put back, and a new folder begins anew"
        )

    def restore(self, seq: int) -> Restore:
        """The event that goes back to a snapshot.

        Raises:
            UnknownSnapshotError: when there is none, or none that is whole.
        """
        if seq not in [manifest.seq for manifest in self.whole()]:
            raise UnknownSnapshotError(f"snapshot {seq}: there is none that is whole")
        wake = self.journal.last(Wake.kind, upto=seq)
        learned = wake.event.last if wake and isinstance(wake.event, Wake) else 0
        return Restore(seq, first=learned + 1, last=self.journal.sequenced)

    def reader(self, manifest: Manifest) -> Reader:
        """A reader of the weights that a snapshot holds."""
        assert self.root is not None
        parts = [read_part(self.root, manifest, f"layer-{index}") for index in range(self.config.depth)]
        beside = ("scales.moments", "box.weights")
        stages = [StageWeights(part["average.layer"], part["average.readout"], *map(part.get, beside)) for part in parts]
        return Reader(manifest.network(self.config), stages, manifest.seq)

    def commit(self, saved: Saved, progress: dict[str, Any]) -> None:
        """Make a snapshot count, remove those that are too many, and let the journal forget what is behind the rest."""
        if self.root is None:
            return
        write_manifest(self.root, Manifest(saved.seq, self.config.digest(), saved.files, progress))
        lineage = Lineage.of(self.journal)
        older = [seq for seq in committed(self.root) if seq <= saved.seq]
        kept = [seq for seq in older if lineage.holds(seq)][: self.kept]
        left = [seq for seq in older if not lineage.holds(seq) and seq > kept[-1]][: self.kept]
        remove_older(self.root, saved.seq, kept + left)
        self._forgettable = self._behind(kept + left) if len(kept) == self.kept else None

    def _behind(self, kept: list[int]) -> tuple[int, int] | None:
        """The last event and the last frame that nothing will ask for again; None while that is not certain."""
        assert self.root is not None
        wake = self.journal.last(Wake.kind, upto=min(kept))
        if wake is None or not isinstance(wake.event, Wake):
            return None
        try:
            remembered = [self._first_remembered(self.root, seq) for seq in kept]
        except SnapshotError as error:
            log.warning("the journal forgets nothing for now: %s", error)
            return None
        frames = min(
            wake.event.last, self.journal.last_frame - self.label_lifetime, *(first - 1 for first in remembered if first)
        )
        return wake.seq - 1, frames

    def _first_remembered(self, root: Path, seq: int) -> int | None:
        """Number of the oldest frame, if any, that a stream that starts from this snapshot can dream of."""
        progress = read_manifest(root, seq).progress
        if "oldest" not in progress:
            raise SnapshotError(f"snapshot {seq} is of an earlier version and does not say which frames it remembers")
        oldest: int | None = progress["oldest"]
        return oldest

    @property
    def tidy(self) -> bool:
        """Whether the journal has forgotten all that it may."""
        return self._forgettable is None

    def tidy_up(self) -> None:
        """Let the journal forget a little of what it may."""
        if self._forgettable is not None and self.journal.prune(*self._forgettable, most=AT_ONCE):
            self._forgettable = None
