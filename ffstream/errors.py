"""Every error that ffstream raises on purpose.

Messages say what was got, what was expected and, where it helps, what to do about it.
"""


class FFStreamError(Exception):
    """The base of all errors raised on purpose by ffstream."""


class ShapeError(FFStreamError, ValueError):
    """An array has another shape, type or range than the network takes."""


class ConfigError(FFStreamError, ValueError):
    """A setting, or a combination of settings, cannot work."""


class DatasetError(FFStreamError):
    """A data set is missing, unreadable or not what its name promises."""


class JournalError(FFStreamError):
    """The journal cannot be opened, read or written."""


class KeyReuseError(JournalError):
    """An idempotency key came with another request than the first time; nothing of the request was kept."""


class BacklogError(FFStreamError):
    """The journal holds as many unlearned frames as it may; nothing of the request was kept."""


class FrameError(FFStreamError):
    """A request names a frame that cannot be what it is asked to be; nothing of the request was kept."""


class UnknownFrameError(FrameError):
    """No frame with this number was ever accepted."""


class ExpiredFrameError(FrameError):
    """The frame was accepted, but too long ago."""


class LabelledError(FrameError):
    """The frame has its label already."""


class ContradictionError(FrameError):
    """A request gives one frame two different labels."""


class GapError(FFStreamError):
    """A message reached a layer without the one before it."""


class SnapshotError(FFStreamError):
    """A snapshot is missing, torn, or belongs to another network."""


class UnknownSnapshotError(SnapshotError):
    """No whole snapshot of this number is kept."""


class ArchiveError(FFStreamError):
    """The archive elsewhere cannot be reached, read or written, or holds no state."""


class DamagedArchiveError(ArchiveError):
    """A file of the archive elsewhere is not the one that was written."""


class ChainError(FFStreamError):
    """The chain of layers has stopped and cannot go on by itself."""
