"""Length normalization between layers (paper section 2.1).

Only the direction of an activity vector is handed on. Its length, which decided the goodness, is removed, so
that the next layer cannot tell positives from negatives by length and must find features of its own.
"""

from torch import Tensor

TINY = 1e-12
"""Added to what is divided by, so that a silent layer hands on zeros and not a division by zero."""


def normalize(activities: Tensor) -> Tensor:
    """Divide every row by its root mean square; the mean is not subtracted.

    ``y = a / sqrt(mean(a^2) + tiny)``, so the mean square of a row that is not silent is 1.

    Args:
        activities: ``[batch, units]``.

    Returns:
        ``[batch, units]``, unchanged (to rounding) when ``activities`` is multiplied by a positive number.

    Reference: Hinton 2022, section 2.1 and footnote 5. The paper divides by the length; dividing by the root
    mean square differs by the constant ``sqrt(units)`` and keeps inputs near 1 whatever the width.
    """
    return activities * activities.square().mean(dim=1, keepdim=True).add_(TINY).rsqrt_()


def normalize_mean(activities: Tensor) -> Tensor:
    """Divide every row of activities, none of which is negative, by its mean: ``y = a / (mean(a) + tiny)``.

    Args:
        activities: ``[batch, units]``.

    Returns:
        ``[batch, units]`` of mean 1, but for silent rows.

    Reference: Hinton 2022, footnote 21.
    """
    return activities / activities.mean(dim=1, keepdim=True).add_(TINY)
