"""Readers of what strangers send: whatever it is, it is read or refused, and nothing else happens. ``make fuzz`` tries more."""

import io
import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ffstream.alphabet import alphabet
from ffstream.errors import FFStreamError
from ffstream_gateway import bodies, texts
from ffstream_gateway.problems import Problem, refuse

TAKEN = bodies.Taken(inputs=4, classes=3, words={"a": 1})
LETTERS = alphabet("letters")
INPUTS = int(os.environ.get("INPUTS", "1000"))
"""Of all the readers together."""

often = settings(max_examples=INPUTS // 5, deadline=None, suppress_health_check=list(HealthCheck), database=None)

NUMBERS = st.integers(-3, 5) | st.floats() | st.sampled_from([10**40, 2**64, 10**400])
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
FRAME = st.lists(st.floats(-2, 2), min_size=4, max_size=4) | st.lists(NUMBERS, min_size=3, max_size=5) | VALUES
LABEL = st.none() | st.integers(-2, 4) | VALUES
OBJECT = st.fixed_dictionaries({}, optional={"frame": FRAME, "label": LABEL, "key": VALUES}) | VALUES
OBJECTS = st.fixed_dictionaries(
    {}, optional={"frames": st.lists(FRAME, max_size=4) | VALUES, "labels": st.lists(LABEL, max_size=4) | VALUES, "key": VALUES}
)


@st.composite
def mangled(draw, raws):
    """Bytes, of which some are cut out, put in or changed."""
    raw = draw(raws)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.binary(max_size=4)) + raw[at + draw(st.integers(0, 4)) :]
    return raw


@st.composite
def arrays(draw):
    """A ``.npy`` array of any type and shape, or nearly so."""
    shape = draw(st.sampled_from([(1, 4), (2, 4), (0, 4), (2, 3), (2,), (), (1, 2, 2), (4, 1)]))
    kind = draw(st.sampled_from(["<f4", ">f8", "<f2", "u1", "<i8", "?", "<c8", "U2", "M8[s]", "V3", "<f4,<i4"]))
    raw = io.BytesIO()
    np.save(raw, np.zeros(shape, kind), allow_pickle=False)
    return raw.getvalue()


JSONS = st.one_of(OBJECT, OBJECTS, VALUES).map(lambda value: json.dumps(value).encode())
LINES = st.lists(OBJECT, max_size=4).map(lambda rows: b"\n".join(json.dumps(row).encode() for row in rows))
NPY = st.lists(arrays(), max_size=2).map(b"".join)
RAWS = {bodies.JSON: JSONS, bodies.NDJSON: LINES, bodies.NPY: NPY}


def read_or_refused(read, *given):
    """What is read; None for what is refused, with a reason and a status of the client's doing."""
    try:
        return read(*given)
    except Problem as problem:
        refusal = problem
    except FFStreamError as error:
        refusal = refuse(error, 1)
    assert 400 <= refusal.status < 500
    assert json.dumps(refusal.content())
    assert refusal.detail
    return None


def check(body):
    if body is None:
        return
    assert body.frames.ndim == 2
    assert body.frames.shape[1] == TAKEN.inputs
    assert body.labels is None or body.labels.ndim == 1


@pytest.mark.parametrize("kind", RAWS)
def test_bodies(kind):
    @often
    @given(mangled(RAWS[kind]) | st.binary(max_size=200), st.booleans())
    @example(b"[" * 100_000, True)
    def tried(raw, labels):
        check(read_or_refused(lambda: bodies.read(kind, raw, TAKEN, labels=labels)))

    tried()


@often
@given(st.one_of(mangled(JSONS).map(lambda raw: raw.decode(errors="replace")), mangled(NPY), mangled(JSONS), st.text()))
def test_messages(raw):
    found = read_or_refused(bodies.read_message, raw, TAKEN)
    check(found and found[0])


SEQUENCES = st.fixed_dictionaries({}, optional={"text": st.text() | VALUES, "symbols": st.lists(NUMBERS) | VALUES})


@often
@given(mangled(SEQUENCES.map(lambda each: json.dumps(each).encode()) | st.text().map(str.encode)), st.booleans())
def test_texts(raw, plain):
    found = read_or_refused(texts.read, texts.TEXT if plain else bodies.JSON, raw, LETTERS, 3)
    assert found is None or found.frames.ndim == 2
