"""Laws of goodness functions."""

from collections.abc import Callable

import torch
from torch import Tensor

from ffstream.blocks import by_block
from ffstream.checks.law import require
from ffstream.exact import reach
from ffstream.goodness import Goodness

MakeGoodness = Callable[[], Goodness]


def _activities() -> Tensor:
    """Rectified activities [6, 11] of very different lengths, the last row silent."""
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([0.01, 0.3, 1.0, 3.0, 100.0, 0.0])[:, None]
    return torch.randn(6, 11, generator=generator).relu() * scales


def check_direction(make: MakeGoodness) -> None:
    """``direction = c dg/da`` by autograd, one ``c > 0`` for all rows; 0 for silent units (the rectifier)."""
    goodness, activities = make(), _activities()
    probe = activities.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(goodness.value(probe).sum(), probe)
    gradient *= activities > 0
    direction = goodness.direction(activities)
    constant = float((direction * gradient).sum() / gradient.square().sum())
    require(constant > 0, "the direction raises the goodness", f"found the constant {constant}")
    law = "the direction is the derivative of the value, up to one positive constant for all rows"
    require(torch.allclose(direction, constant * gradient, rtol=1e-4, atol=1e-6), law)


def check_one_number_a_row(make: MakeGoodness) -> None:
    """``[batch, units]`` gives ``[batch]``, and a row's goodness is its own affair."""
    goodness, activities = make(), _activities()
    value = goodness.value(activities)
    require(value.shape == (6,), "goodness is one number a row", f"found shape {list(value.shape)}")
    alone = torch.cat([goodness.value(row[None]) for row in activities])
    require(torch.allclose(value, alone), "a row's goodness depends on that row only")
    require(bool(value.isfinite().all()), "goodness is finite, also for a silent row")


def check_terms(make: MakeGoodness) -> None:
    """The mean of the units' terms is the value, and so is that of any number of blocks."""
    goodness, activities = make(), _activities()
    value = goodness.value(activities)
    terms = goodness.terms(activities)
    require(terms.shape == activities.shape, "every unit has a term", f"found shape {list(terms.shape)}")
    require(torch.allclose(terms.mean(dim=1), value, rtol=1e-4), "the mean of the terms is the goodness")
    for blocks in (1, 2, 5, 11):
        found = by_block(goodness, activities, blocks)
        require(found.shape == (6, blocks), "every block has a goodness", f"found shape {list(found.shape)}")
        require(torch.allclose(found.mean(dim=1), value, rtol=1e-4), "the mean of the blocks' goodness is the layer's")


def check_hidden(make: MakeGoodness) -> None:
    """What is handed on has the same goodness for every row, however long it was; a silent row stays silent."""
    goodness, activities = make(), _activities()
    handed_on = goodness.normalize(activities)
    found = goodness.value(handed_on)
    law = "normalization leaves every row with the same goodness"
    require(torch.allclose(found[:-1], found[0].expand(5), atol=1e-5), law, f"found {found.tolist()}")
    require(not bool(handed_on[-1].any()), "a silent row stays silent")


def check_leaves_activities_alone(make: MakeGoodness) -> None:
    """Neither value nor direction nor normalization changes the activities."""
    goodness, activities = make(), _activities()
    before = activities.clone()
    goodness.value(activities)
    goodness.direction(activities)
    goodness.normalize(activities)
    require(torch.equal(before, activities), "a goodness changes no activity")


def check_reach(make: MakeGoodness) -> None:
    """Activities of any length are brought to any goodness of the sign that they can have, and keep their direction."""
    goodness = make()
    activities = torch.rand(6, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    activities = (activities - 0.3).relu() * torch.tensor([0.01, 0.3, 1.0, 3.0, 100.0, 1.0])[:, None]
    for factor in (0.1, 1.0, 7.0):
        goals = factor * goodness.value(activities)
        reached = reach(goodness, activities, goals)
        require(torch.allclose(goodness.value(reached), goals, rtol=1e-9), "a goodness is reached exactly", f"{goals}")
        kept = torch.allclose(goodness.normalize(reached), goodness.normalize(activities), rtol=1e-5)
        require(kept, "what reaches a goodness keeps its direction")
    silent = torch.zeros(1, 20, dtype=torch.float64)
    require(torch.equal(reach(goodness, silent, torch.ones(1)), silent), "a silent row stays silent")


GOODNESS_CHECKS: tuple[Callable[[MakeGoodness], None], ...] = (
    check_direction,
    check_one_number_a_row,
    check_terms,
    check_hidden,
    check_leaves_activities_alone,
    check_reach,
)
