"""The laws of Forward-Forward streams, as code that anything new can be run through.

Every check is a plain function that is given a way to make the thing and raises :class:`AssertionError`, naming the law,
when it is broken. One tuple lists the checks of each kind, so that a test is one matrix::

    @pytest.mark.parametrize("check", LAYER_CHECKS)
    def test_my_layer(check):
        check(MyLayer)
"""

from ffstream.checks.activation import ACTIVATION_CHECKS
from ffstream.checks.chain import CHAIN_CHECKS, DURABLE_CHECKS, NUMBER_CHECKS, TABLE_CHECKS
from ffstream.checks.exact import DURABLE_EXACT_CHECKS, EXACT_CHECKS
from ffstream.checks.goodness import GOODNESS_CHECKS, MakeGoodness
from ffstream.checks.growth import GROWTH_CHECKS, GrowthCheck
from ffstream.checks.journal import JOURNAL_CHECKS, MakeJournal
from ffstream.checks.layers import LAYER_CHECKS, AnyLayer, MakeLayer
from ffstream.checks.negatives import (
    CONFUSION_CHECKS,
    GENERATOR_CHECKS,
    NEGATIVE_CHECKS,
    OBSERVED_CHECKS,
    WRONG_LABEL_CHECKS,
    MakeSource,
    NegativeSource,
)
from ffstream.checks.script import MakeStream

__all__ = [
    "ACTIVATION_CHECKS",
    "CHAIN_CHECKS",
    "CONFUSION_CHECKS",
    "DURABLE_CHECKS",
    "DURABLE_EXACT_CHECKS",
    "EXACT_CHECKS",
    "GENERATOR_CHECKS",
    "GOODNESS_CHECKS",
    "GROWTH_CHECKS",
    "JOURNAL_CHECKS",
    "LAYER_CHECKS",
    "NEGATIVE_CHECKS",
    "NUMBER_CHECKS",
    "OBSERVED_CHECKS",
    "TABLE_CHECKS",
    "WRONG_LABEL_CHECKS",
    "AnyLayer",
    "GrowthCheck",
    "MakeGoodness",
    "MakeJournal",
    "MakeLayer",
    "MakeSource",
    "MakeStream",
    "NegativeSource",
]
