"""Laws of layers: learning is local, needs no gradient, and moves goodness the right way."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ffstream.checks.law import bits, differing, not_finite, require, size
from ffstream.checks.samples import ODD, blobs, rows
from ffstream.goodness import Goodness
from ffstream.layer import LayerReport
from ffstream.normalize import normalize
from ffstream.polarity import Polarity
from ffstream.stage import restore


class AnyLayer(Protocol):
    """What the chain asks of a layer."""

    @property
    def goodness(self) -> Goodness:
        """What it raises for positives, and how that is hidden from the next layer."""
        ...

    @property
    def threshold(self) -> float:
        """Of its goodness, between positives and negatives."""
        ...

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, inputs]`` to ``[batch, units]``."""
        ...

    def learn(self, x: Tensor, activities: Tensor, polarity: Polarity, share: float = 1.0) -> LayerReport:
        """One local step on rows and their activities."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on."""
        ...


class MakeLayer(Protocol):
    """Makes a new layer."""

    def __call__(self, inputs: int, units: int, *, seed: int) -> AnyLayer:
        """The same arguments give the same bits."""
        ...


LayerCheck = Callable[[MakeLayer, int, int], None]

BATCH = 20


def _learn(layer: AnyLayer, x: Tensor, polarity: Polarity, steps: int = 1, share: float = 1.0) -> float:
    """Learn the same batch over and over; the goodness before the last step."""
    report = None
    for _ in range(steps):
        report = layer.learn(x, layer.forward(x), polarity, share)
    assert report is not None
    return report.goodness


def _days(layer: AnyLayer, inputs: int, days: int) -> None:
    """Wake and sleep by turns, on changing batches."""
    for day in range(days):
        _learn(layer, rows(BATCH, inputs, seed=day), Polarity.POSITIVE, steps=3)
        _learn(layer, rows(BATCH, inputs, seed=-day % 1000).flip(1), Polarity.NEGATIVE, steps=2)


def _goodness(layer: AnyLayer, x: Tensor) -> float:
    """Mean over the rows."""
    return float(layer.goodness.value(layer.forward(x)).mean())


def check_no_gradient(make: MakeLayer, inputs: int, units: int) -> None:
    """Neither outputs nor state carry a gradient, before and after learning."""
    layer, x = make(inputs, units, seed=0), rows(BATCH, inputs)
    for _ in range(2):
        out = layer.forward(x)
        require(not out.requires_grad and out.grad_fn is None, "outputs carry no gradient")
        kept = sorted(name for name, tensor in layer.state().items() if tensor.requires_grad)
        require(not kept, "a layer's state carries no gradient", f"found one in {kept}")
        layer.learn(x, out, Polarity.POSITIVE)


def check_forward_changes_nothing(make: MakeLayer, inputs: int, units: int) -> None:
    """Forward gives the same bits twice and changes neither the layer nor its input."""
    layer, x = make(inputs, units, seed=0), rows(BATCH, inputs)
    _days(layer, inputs, 2)
    before, given = bits(layer.state()), x.clone()
    first = layer.forward(x).clone()
    require(torch.equal(first, layer.forward(x)), "forward gives the same bits for the same rows")
    require(not differing(before, layer.state()), "forward changes no state")
    require(torch.equal(given, x), "forward changes no input")


def check_no_aliasing(make: MakeLayer, inputs: int, units: int) -> None:
    """Rows and activities belong to the caller: learning does not write into them, nor do they change later."""
    layer, x = make(inputs, units, seed=0), rows(BATCH, inputs)
    for polarity in Polarity:
        activities = layer.forward(x)
        given = x.clone(), activities.clone()
        layer.learn(x, activities, polarity)
        layer.forward(x.flip(0))
        require(torch.equal(given[0], x), "learning changes no input")
        require(torch.equal(given[1], activities), "activities that were handed out never change")


def check_learning_is_local(make: MakeLayer, inputs: int, units: int) -> None:
    """Of three layers in a row, one learns; the other two are bit-identical."""
    layers = [make(inputs, units, seed=0), make(units, units, seed=1), make(units, units, seed=2)]
    x = rows(BATCH, inputs)
    for learner in layers:
        before = [bits(layer.state()) for layer in layers]
        activities = learner.forward(x)
        learner.learn(x, activities, Polarity.POSITIVE)
        for layer, was in zip(layers, before, strict=True):
            changed = differing(was, layer.state())
            if layer is learner:
                require(bool(changed), "learning changes the layer that learns")
            else:
                require(not changed, "learning in one layer leaves every other bit-identical", f"{changed} changed")
        x = learner.goodness.normalize(activities)


def check_goodness_is_hidden(make: MakeLayer, inputs: int, units: int) -> None:
    """However long the input of any layer is, the network's output is the same to rounding."""
    layers = [make(inputs, units, seed=0), make(units, units, seed=1), make(units, units, seed=2)]

    def output(scaled: int, factor: float) -> Tensor:
        x = rows(BATCH, inputs)
        for index, layer in enumerate(layers):
            x = layer.goodness.normalize(layer.forward(normalize(x * factor if index == scaled else x)))
        return x

    expected = output(0, 1.0)
    for scaled in range(len(layers)):
        for factor in (0.1, 3.0, 1e6):
            error = float((output(scaled, factor) - expected).abs().max())
            law = "scaling a layer's input leaves the network's output unchanged"
            require(error < 1e-3, law, f"layer {scaled} times {factor}: found a difference of {error}")


def check_positive_raises(make: MakeLayer, inputs: int, units: int) -> None:
    """A positive batch, repeated, raises its goodness: in a new layer and in one that has lived."""
    for days in (0, 5):
        layer, x = make(inputs, units, seed=0), rows(BATCH, inputs)
        _days(layer, inputs, days)
        _learn(layer, x, Polarity.NEGATIVE, steps=20)
        before = _goodness(layer, x)
        _learn(layer, x, Polarity.POSITIVE, steps=40)
        after = _goodness(layer, x)
        require(after > before, "a repeated positive batch raises goodness", f"found {before} before, {after} after")


def check_negative_lowers(make: MakeLayer, inputs: int, units: int) -> None:
    """A batch whose goodness was raised, repeated as a negative, loses it again."""
    for days in (0, 5):
        layer, x = make(inputs, units, seed=0), rows(BATCH, inputs)
        _days(layer, inputs, days)
        _learn(layer, x, Polarity.POSITIVE, steps=60)
        before = _goodness(layer, x)
        _learn(layer, x, Polarity.NEGATIVE, steps=40)
        after = _goodness(layer, x)
        require(after < before, "a repeated negative batch lowers goodness", f"found {before} before, {after} after")


def check_tells_apart(make: MakeLayer, inputs: int, units: int) -> None:
    """Wake and sleep by turns on two kinds of rows leave the positives with more goodness than the negatives."""
    layer = make(inputs, units, seed=0)
    positive, negative = rows(BATCH, inputs), rows(BATCH, inputs, seed=1).flip(1)
    for _ in range(100):
        _learn(layer, positive, Polarity.POSITIVE)
        _learn(layer, negative, Polarity.NEGATIVE)
    good, bad = _goodness(layer, positive), _goodness(layer, negative)
    require(good > bad, "positives end with more goodness than negatives", f"found {good} and {bad}")


def check_share(make: MakeLayer, inputs: int, units: int) -> None:
    """A tenth of an update moves a layer about a tenth as far: ten of them do about the same as one."""
    x = rows(BATCH, inputs)
    start = make(inputs, units, seed=0)
    before = _goodness(start, x)
    has_to_learn = Polarity.NEGATIVE if before > start.threshold else Polarity.POSITIVE
    moved = []
    for steps, share in ((20, 1.0), (200, 0.1)):
        layer = make(inputs, units, seed=0)
        _learn(layer, x, has_to_learn, steps=steps, share=share)
        moved.append(_goodness(layer, x) - before)
    law = "ten tenths of an update do about the same as one whole"
    require(0.5 < moved[1] / moved[0] < 2, law, f"goodness moved by {moved[1]} and by {moved[0]}")


def check_same_seed(make: MakeLayer, inputs: int, units: int) -> None:
    """The seed decides the first bits."""
    first, again, other = (make(inputs, units, seed=seed).state() for seed in (3, 3, 4))
    require(not differing(first, again), "the same seed gives the same layer")
    require(bool(differing(first, other)), "another seed gives another layer")


def check_restore(make: MakeLayer, inputs: int, units: int) -> None:
    """A layer made anew and given a snapshot takes the same next steps, bit for bit."""
    layer, restored = make(inputs, units, seed=0), make(inputs, units, seed=1)
    _days(layer, inputs, 4)
    _learn(layer, rows(BATCH, inputs), Polarity.POSITIVE, steps=40)
    snapshot = bits(layer.state())
    _days(restored, inputs, 1)
    restore(restored.state(), snapshot)
    for twin in (layer, restored):
        _learn(twin, rows(BATCH, inputs), Polarity.POSITIVE, steps=15)
        _days(twin, inputs, 12)
    changed = differing(layer.state(), restored.state())
    require(not changed, "snapshot then restore gives the same next update, bit for bit", f"{changed} differ")
    require(bool(differing(snapshot, layer.state())), "learning changes the state that a snapshot holds")


def check_before_learning(make: MakeLayer, inputs: int, units: int) -> None:
    """A new layer answers one row or many, and may begin with a sleep."""
    layer = make(inputs, units, seed=0)
    for batch in (1, BATCH):
        out = layer.forward(rows(batch, inputs))
        found = f"found {out.dtype} {list(out.shape)}"
        require(out.shape == (batch, units) and out.dtype == torch.float32, "forward gives float32 [batch, units]", found)
    require(not not_finite(layer.state()), "a new layer is finite")
    _learn(layer, rows(1, inputs), Polarity.NEGATIVE)
    require(not not_finite(layer.state()), "a layer may begin with a sleep")


def check_odd_streams(make: MakeLayer, inputs: int, units: int) -> None:
    """No stream, however odd, leaves anything that is not finite."""
    easy = blobs(20 * BATCH, inputs, classes=4)
    for name, odd in ODD.items():
        layer = make(inputs, units, seed=0)
        x = odd(easy).x
        for index in range(len(x) // BATCH):
            part = normalize(torch.from_numpy(x[index * BATCH : (index + 1) * BATCH]))
            _learn(layer, part, Polarity.NEGATIVE if index % 3 == 2 else Polarity.POSITIVE, steps=3)
        broken = not_finite(layer.state() | {"activities": layer.forward(rows(BATCH, inputs))})
        require(not broken, "a layer stays finite whatever it is fed", f"{name}: {broken}")


def check_memory_bounded(make: MakeLayer, inputs: int, units: int) -> None:
    """A layer's state does not grow."""
    layer = make(inputs, units, seed=0)
    _days(layer, inputs, 1)
    before = size(layer.state())
    _days(layer, inputs, 20)
    after = size(layer.state())
    require(after == before, "memory is bounded", f"the state grew from {before} to {after} bytes")


LAYER_CHECKS: tuple[LayerCheck, ...] = (
    check_no_gradient,
    check_forward_changes_nothing,
    check_no_aliasing,
    check_learning_is_local,
    check_goodness_is_hidden,
    check_positive_raises,
    check_negative_lowers,
    check_tells_apart,
    check_share,
    check_same_seed,
    check_restore,
    check_before_learning,
    check_odd_streams,
    check_memory_bounded,
)
