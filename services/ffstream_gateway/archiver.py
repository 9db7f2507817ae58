"""The thread that brings every new state of a folder to an archive elsewhere. Nobody waits for it."""

import logging
import threading
from concurrent.futures import Future

import stamina

from ffstream.config import NetworkConfig
from ffstream.errors import ArchiveError, ConfigError, FFStreamError, SnapshotError
from ffstream.stream.offsite import OffsiteArchive
from ffstream.stream.owner import Owner
from ffstream.stream.staging import staged
from ffstream.stream.store import Store
from ffstream_gateway.folder import ALPHABET, LABELS, NETWORK, SCHEDULE
from ffstream_gateway.settings import Settings

BESIDE = (NETWORK, SCHEDULE, ALPHABET, LABELS, "cluster-namespace")
"""Files of a folder that a stream goes on with. Keys are none of them: secrets stay where they are."""

ATTEMPTS = 5
CLAIM_WITHIN = 10.0
CLOSE_WITHIN = 30.0
"""Tries of an upload, and seconds: for the store to say at the start whose it is, and for the last state at the end."""

log = logging.getLogger(__name__)


class Archiver:
    """Archives a folder's stream when it is opened, told of news, and closed.

    What a failing store did not take is taken with the next state: the archive is brought what it lacks.

    Args:
        url: of the archive, as fsspec takes it.
        network: of the folder, as it was made.
        settings: of the service.

    ``seq`` is the last event that is archived, as far as is known; ``failures`` counts states that could not be.

    Raises:
        ConfigError: when the URL leads nowhere, to what may not be written, or to the archive of another stream.
    """

    def __init__(self, url: str, network: NetworkConfig, settings: Settings) -> None:
        self.seq = self.failures = 0
        self._folder, self._network = settings.folder, network
        self._archive = OffsiteArchive(Store(url), Owner.of(settings.folder), kept=settings.snapshots_kept)
        self._claim()
        self._news = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._live, name="archive", daemon=True)

    def _claim(self) -> None:
        """Be refused now if it is another's; a store that does not answer is asked again before every upload."""
        answer: Future[None] = Future()

        def ask() -> None:
            try:
                self._archive.claim()
                answer.set_result(None)
            except Exception as error:
                answer.set_exception(error)

        threading.Thread(target=ask, name="claim", daemon=True).start()
        try:
            answer.result(CLAIM_WITHIN)
        except (ArchiveError, TimeoutError) as error:
            if isinstance(error.__cause__, FileNotFoundError | PermissionError):
                raise ConfigError(str(error)) from error
            self._failed(error)

    def open(self) -> None:
        """Begin, with what the archive lacks already."""
        self._thread.start()
        self.nudge()

    def nudge(self) -> None:
        """There is a new state."""
        self._news.set()

    def close(self) -> None:
        """Archive the last state, as far as time allows."""
        self._closing = True
        self.nudge()
        self._thread.join(CLOSE_WITHIN)
        if self._thread.is_alive():
            log.warning("the last state is not archived: the store has taken longer than %.0f s", CLOSE_WITHIN)

    def _live(self) -> None:
        closing = False
        while not closing:
            self._news.wait()
            self._news.clear()
            closing = self._closing
            try:
                self._bring()
            except Exception as error:
                self._failed(error)

    def _bring(self) -> None:
        """Upload the newest state. A snapshot may be removed, as one too many, before it is copied."""
        for attempt in stamina.retry_context(on=(ArchiveError, SnapshotError), attempts=ATTEMPTS, timeout=None):
            with attempt, staged(self._folder, self._network, BESIDE) as state:
                self.seq = self._archive.keep(state).seq

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        known = isinstance(error, FFStreamError | OSError)
        reason = str(error) or f"archive {self._archive.store.name}: no answer"
        log.warning("not archived, for now: %s", reason, exc_info=None if known else error)
