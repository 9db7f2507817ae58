"""Soft labels: frames that say how probable each label is, so that a network can learn another's function (paper section 8).

With ``NetworkConfig(soft_labels=True)`` the last ``classes`` numbers of a frame are probabilities, and the others what is seen.
They travel inside the frame, because everything that has to be kept about a frame is kept of all its numbers already: the
journal, replay, dreams, ``/feed``, idempotency keys and the wire between actors are as they were, and none of them learns of a
second kind of label. The label that comes beside the frame is still one number, or unknown: layers try a frame with one label
at a time, so their positive is the frame with the label given, as ever (the teacher's most probable one). The readouts are what
can learn a whole distribution, and do: theirs is the gradient of the cross-entropy to it. The price is ``classes`` numbers a
frame, in float32, and that a question has to be as wide as a lesson: what it says of the label is not looked at.

>>> import numpy as np
>>> soften(np.array([[0, 255]], np.uint8), np.array([[0.25, 0.75]]))
array([[0.  , 1.  , 0.25, 0.75]], dtype=float32)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffstream.frames import to_tensor


def soften(frames: NDArray[Any], probabilities: Any) -> NDArray[np.float32]:
    """Frames [n, inputs] with their labels' probabilities [n, classes]: ``[n, inputs + classes]``."""
    return np.concatenate([to_tensor(frames).numpy(), np.asarray(probabilities, np.float32)], axis=1)


def asked(frames: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """Frames [n, inputs] about which nothing is said: ``[n, inputs + classes]``, as a network with soft labels is asked."""
    return soften(frames, np.full((len(frames), classes), 1 / classes))
