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


class GapError(FFStreamError):
    """A message reached a layer without the one before it."""


class SnapshotError(FFStreamError):
    """A snapshot is missing, torn, or belongs to another network."""


class ChainError(FFStreamError):
    """The chain of layers has stopped and cannot go on by itself."""
