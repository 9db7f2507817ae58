"""Fast weights: a matrix that a window writes into as it is read, and asks at its end (paper section 9; Ba et al. 2016).

Slow weights are learned over the whole stream; fast weights hold what this window alone has shown, and are gone with it, so
that nothing outlives a frame and every law of the stream holds as before. Written as outer products of values and keys, and
asked by a query, they are a transformer's attention without its softmax, over all that came before.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from ffstream.errors import ConfigError
from ffstream.symbols import one_of_n, to_symbols


@dataclass(frozen=True)
class FastWeights:
    """What the first layer sees of a window beside its last symbols: what followed the like of them before.

        A_m = sum_t decay^(T - t) v_t k_m,t'            written as the window is read
        r_m = A_m q_m,    seen_m = strength r_m / (1 + sum r_m)

    The value ``v_t`` is symbol ``t`` of the window, one of n; the key ``k_m,t`` is the tensor product of the ``m`` symbols
    before it, and the query ``q_m`` that of the window's last ``m``, so that ``k' q`` is 1 where they are the same and else 0.
    There is a head for every order ``m``. The matrices are never formed: ``r_m`` is a sum over the places whose key is the
    query.

    Args:
        context: last symbols of a window, which are seen as they are.
        orders: symbols in a key, one number a head. A key of none is 1: that head recalls what came at all, the last the most.
        decay: by which what was written fades with every symbol.
        strength: length of what a head recalls when it is sure, as a multiple of a symbol's.

    >>> from ffstream.symbols import to_frames
    >>> window = to_frames(torch.tensor([[0, 1, 2, 0, 1]]))
    >>> FastWeights(context=1, orders=(2,), decay=1.0, strength=1.0).see(window, 3)  # 0 and 1, and then came a 2
    tensor([[0.0000, 1.0000, 0.0000, 0.0000, 0.0000, 0.5000]])

    Reference: Ba, Hinton, Mnih, Leibo and Ionescu 2016, arXiv:1610.06258, with keys that are not learned.
    """

    context: int = 10
    orders: tuple[int, ...] = (1, 2, 3)
    decay: float = 0.98
    strength: float = 2.0

    def __post_init__(self) -> None:
        if self.context < 1 or not self.orders or min(self.orders) < 0:
            raise ConfigError(f"context, orders: got {self.context}, {self.orders}, expected at least 1 symbol, and one head")
        if not (0 < self.decay <= 1 and 0 < self.strength < math.inf):
            raise ConfigError(f"decay, strength: got {self.decay}, {self.strength}, expected above 0, and a decay of at most 1")

    @property
    def shortest(self) -> int:
        """Symbols that a window has to have at least."""
        return max(self.context, max(self.orders) + 1)

    def width(self, symbols: int) -> int:
        """Numbers that are seen of a window, of so many kinds of symbols."""
        return (self.context + len(self.orders)) * symbols

    def see(self, frames: Tensor, symbols: int) -> Tensor:
        """Windows [batch, inputs] to the last symbols and what every head recalls: ``[batch, width]``."""
        window = to_symbols(frames)
        recalled = [self._recall(window, order, symbols) for order in self.orders]
        return torch.cat([one_of_n(frames[:, -self.context :], symbols), *recalled], dim=1)

    def _recall(self, window: Tensor, order: int, symbols: int) -> Tensor:
        """What head ``order`` recalls: ``window`` [batch, T] to [batch, symbols]."""
        keys = window[:, :-1].unfold(1, order, 1)
        written = (keys == window[:, None, window.shape[1] - order :]).all(dim=2).float()
        ages = torch.arange(written.shape[1] - 1, -1, -1)
        recalled = torch.zeros(len(window), symbols).scatter_add_(1, window[:, order:], written * self.decay**ages)
        return self.strength * recalled / (1 + recalled.sum(dim=1, keepdim=True))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From plain data; unknown names are a :class:`ConfigError`."""
        unknown = set(data) - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"fast weights: unknown names {sorted(unknown)}")
        return cls(**{**data, "orders": tuple(data.get("orders", cls.orders))})
