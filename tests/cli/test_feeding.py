"""A data set and a service that may call its labels otherwise."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ffstream.client import Status
from ffstream.client.answers import read
from ffstream.datasets import Dataset
from ffstream.errors import ConfigError
from ffstream_gateway.feeding import fitted
from tests.cli.answers import STATUS

X = np.zeros((3, 4), np.float32)
TREES = Dataset("trees", X, np.array([0, 1, 1]), X, np.array([1, 0, 0]), names=("ash", "oak"))
URL = "http://here"


def status(**changed):
    return read(json.dumps(STATUS | changed), Status)


def test_labels_are_numbered_as_the_service_numbers_them():
    found = fitted(TREES, status(names=["oak", "elm", "ash"]), URL)
    assert (found.y.tolist(), found.y_held.tolist()) == ([2, 0, 0], [0, 2, 2])
    assert found.x is X


def test_a_label_that_the_service_has_no_name_for():
    with pytest.raises(ConfigError, match=r"trees has labels \['ash'\], but the service at http://here knows \['oak', 'elm'\]"):
        fitted(TREES, status(names=["oak", "elm"]), URL)


@pytest.mark.parametrize(("data", "names"), [(TREES, None), (replace(TREES, names=None), ["oak", "elm", "ash"])])
def test_numbers_are_what_they_are_where_one_of_the_two_knows_no_names(data, names):
    assert fitted(data, status(names=names), URL) is data


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="expects 4 numbers and at most 1 labels"):
        fitted(TREES, status(network={"inputs": 4, "classes": 1}), URL)
