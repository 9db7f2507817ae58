"""Drawing from distributions, reproducibly: inverse-transform sampling in double precision."""

import numpy as np
import torch
from torch import Tensor

FAINTEST = 1e-12
"""The least probability, against the likeliest, that anything is drawn with."""


def likely(logits: Tensor) -> Tensor:
    """Probabilities [batch, classes] in double precision, up to a constant a row; none is 0."""
    logits = logits.double()
    return (logits - logits.amax(dim=1, keepdim=True)).exp().add_(FAINTEST)


def draw(p: Tensor, rng: np.random.Generator) -> Tensor:
    """One column a row: ``p`` [batch, classes], up to a constant a row, to [batch, 1]."""
    cumulative = p.cumsum(dim=1)
    below_total = cumulative[:, -1:] * (1 - 1e-12)
    at = torch.from_numpy(rng.random((len(p), 1))) * below_total
    return torch.searchsorted(cumulative, at, right=True)
