"""A service that learns sequences: text in, what comes next out."""

import json
from pathlib import Path

import numpy as np
import pytest

from ffstream.errors import ConfigError
from ffstream_gateway.folder import open_network
from ffstream_gateway.settings import Settings

TALE = "the fox and the grapes; the fox and the crow; the dog and the bone. " * 12
KIND = {"task": "sequence", "units": (60, 50), "every": 200}


@pytest.fixture
def told(gateway):
    """A service that has learned a tale."""
    app = gateway.open(**KIND)
    for _ in range(3):
        answer = app.post("/feed", TALE.encode(), "text/plain")
        assert answer.status_code == 202, answer.text
    return app.settle()


def test_a_text_is_learned_dreamt_of_and_gone_on_with(told):
    assert told.get("/status")["frames"] == 3 * (len(TALE) - 10)
    assert told.get("/status")["dreams"] > 1000
    assert told.get("/status")["alphabet"] == "letters"
    answer = told.post("/predict", json.dumps({"text": "and the gra"})).json()
    assert len(answer["p"]) == 30
    assert sum(answer["p"]) == pytest.approx(1)
    assert answer["text"][int(np.argmax(answer["p"]))] == "p"
    asked = {"text": "the fox and the g", "length": 40, "temperature": 0.2}
    said = told.post("/generate", json.dumps(asked)).json()
    assert said["text"].startswith("rapes; the fox")
    assert len(said["symbols"]) == 40
    assert said == told.post("/generate", json.dumps(asked)).json()
    wild = [told.post("/generate", json.dumps(asked | {"temperature": 5.0, "seed": seed})).json()["text"] for seed in (0, 1)]
    assert len({said["text"], *wild}) == 3


def test_asking_changes_nothing(told):
    before, kept = told.digests, told.kept
    told.post("/predict", json.dumps({"text": TALE}))
    told.post("/generate", json.dumps({"text": TALE}))
    assert (told.digests, told.kept) == (before, kept)


def test_every_way_of_telling_is_the_same(gateway, tmp_path):
    x = [[ord(each) - ord("a") for each in "abcabcabca"], [ord(each) - ord("a") for each in "bcabcabcab"]]
    ways = {
        "text": {"text": "ABCabc?abcabc"},
        "symbols": {"symbols": [0, 1, 2] * 4},
        "windows": {"frames": x, "labels": [1, 2]},
    }
    learned = {}
    for name, body in ways.items():
        app = gateway.open(folder=tmp_path / name, **KIND)
        assert app.post("/feed", json.dumps(body)).json()["frames"] == 2
        learned[name] = app.settle().digests
    assert learned["text"] == learned["symbols"] == learned["windows"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/feed", {"text": "too short"}, "got 9 symbols, expected more than the 10"),
        ("/feed", {"text": 7}, "text: got a number, expected a string"),
        ("/feed", {"text": "a", "labels": [1]}, "expected members of"),
        ("/feed", {"text": "a", "symbols": [1]}, "either text or symbols"),
        ("/feed", {"symbols": [0] * 20 + [30]}, "symbols[20]: got 30, expected 0 to 29"),
        ("/feed", {"symbols": "abc"}, "symbols: got a string, expected a list"),
        ("/feed", {"frames": [[30] * 10]}, "frames[0][0]: got 30.0, expected a symbol"),
        ("/predict", {"text": "too short"}, "got 9 symbols, expected at least the 10"),
        ("/predict", {}, "either text or symbols"),
        ("/generate", {"text": TALE, "length": 0}, "length: got 0"),
        ("/generate", {"text": TALE, "temperature": 0}, "temperature: got 0"),
    ],
)
def test_refusals(gateway, path, body, said):
    app = gateway.open(**KIND)
    answer = app.post(path, json.dumps(body))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert app.kept == (0, 0)


def test_before_any_learning_everything_is_as_likely(gateway):
    app = gateway.open(**KIND, alphabet="bytes")
    answer = app.post("/predict", json.dumps({"text": "ten bytes."})).json()
    assert answer["p"] == [1 / 256] * 256
    assert answer["status"] == "cold"
    assert len(app.post("/generate", json.dumps({"symbols": [7] * 10, "length": 5})).json()["symbols"]) == 5


def test_frames_of_numbers_have_no_next(gateway):
    app = gateway.open()
    assert app.post("/predict", json.dumps({"text": TALE})).status_code == 404
    assert app.post("/feed", TALE.encode(), "text/plain").status_code == 415
    assert app.get("/status")["alphabet"] is None


def test_the_folder_remembers_its_alphabet(gateway):
    app = gateway.open(**KIND, alphabet="tokens:40", context=3)
    app.post("/feed", b"3 17 0 39 3 17 0", "text/plain")
    app.settle().close()
    app = gateway.open(units=(60, 50))
    assert app.get("/status")["alphabet"] == "tokens:40"
    assert app.get("/status")["accepted"] == 4
    assert app.stream.config.inputs == 3


def load(folder: Path, **flags):
    return Settings.load({"folder": folder, "chain": "in-process", **flags})


@pytest.mark.parametrize(
    ("made", "given", "said"),
    [
        ({"task": "sequence"}, {"task": "frames"}, "setting task: got frames, but .* has sequence"),
        ({"task": "sequence"}, {"task": "sequence", "context": 7}, "setting inputs: got 7, but .* has 10"),
        ({"task": "sequence"}, {"task": "sequence", "seed": 3}, "setting seed: got 3"),
        ({}, {"task": "sequence"}, "setting task: got sequence"),
        ({}, {"alphabet": "bytes"}, "setting alphabet: got bytes, but only --task sequence"),
        ({}, {"task": "sequence", "classes": 5}, "setting classes: got 5, but a sequence has an alphabet"),
        ({"task": "sequence"}, {"task": "sequence", "alphabet": "aa"}, "got 'a' more than once"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, made, given, said):
    open_network(load(tmp_path, **made))
    with pytest.raises(ConfigError, match=said):
        open_network(load(tmp_path, **given))


def test_another_alphabet_of_the_same_size(gateway):
    gateway.open(**KIND, alphabet="abcd").close()
    with pytest.raises(ConfigError, match=r"setting alphabet: got dcba, but .* has abcd"):
        gateway.open(**KIND, alphabet="dcba")


def test_sequences_have_defaults_of_their_own(gateway):
    app = gateway.open(task="sequence", every=None)
    assert app.stream.config.batch == 100
    assert app.stream.config.generates
