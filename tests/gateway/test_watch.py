"""Clips over a WebSocket, one message a picture."""

import json
from contextlib import contextmanager

import numpy as np
import pytest
from starlette.websockets import WebSocketDisconnect

from ffstream import VideoConfig
from ffstream.errors import ConfigError
from ffstream_gateway.app import create_app

SHAPE = {"inputs": 4, "classes": 3, "batch": 4, "clip": 3}


@contextmanager
def watching(app):
    with app.http.websocket_connect("/watch") as socket:
        assert socket.receive_json() == {"pixels": 4, "clip": 3}

        def show(content=None, /, **members):
            socket.send_text(json.dumps(members) if content is None else content)
            return socket.receive_json()

        yield show


def clips(n, seed=0):
    """A bright corner moves on, starting at the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    pictures = 0.1 * rng.random((n, 3, 4)) + np.eye(4)[(labels[:, None] + np.arange(3)) % 4]
    return pictures.round(3), labels


def test_a_clip_is_classified_while_it_plays_and_then_learned(gateway):
    app = gateway.open(**SHAPE)
    assert app.stream.config.video == VideoConfig(ticks=3, clip=3, read=(1, 3))
    pictures, labels = clips(60)
    with watching(app) as show:
        assert show(picture=[0, 0, 1, 1])["status"] == "cold"
        show(picture=[0, 0, 1, 1])
        assert "accepted" not in show(picture=[0, 0, 1, 1])
        for number, (clip, label) in enumerate(zip(pictures, labels, strict=True), start=1):
            first, second = (show(picture=picture.tolist()) for picture in clip[:2])
            last = show(picture=clip[2].tolist(), label=int(label), learn=True)
            assert [first["tick"], second["tick"], last["tick"]] == [1, 2, 3]
            assert "accepted" not in second
            assert (last["accepted"]["first"], last["accepted"]["frames"]) == (number, 1)
        app.settle()
        kept, known = app.stream.journal.read(1, 60)
        np.testing.assert_allclose(kept.numpy(), pictures.reshape(60, -1), atol=1e-6)
        assert known.tolist() == labels.tolist()
        for clip in clips(5, seed=1)[0]:
            answers = [show(picture=picture.tolist()) for picture in clip]
            whole = app.classify(clip.reshape(1, -1), method="goodness").json()
            np.testing.assert_allclose(answers[2]["scores"], whole["scores"][0], rtol=1e-3, atol=1e-6)
            assert answers[2]["label"] == whole["labels"][0]
            assert answers[2]["seq"] == whole["seq"]
    assert app.kept[0] == 60


SOME = '{"picture": [1, 2, 3, 4]'


@pytest.mark.parametrize(
    "wrong",
    [
        "no json",
        "[]",
        "{}",
        '{"picture": [1, 2]}',
        '{"picture": [1, 2, 3, null]}',
        SOME + ', "label": 3}',
        SOME + ', "label": true}',
        SOME + ', "learn": 1}',
    ],
)
def test_what_cannot_be_read_is_left_out(gateway, wrong):
    with watching(gateway.open(**SHAPE)) as show:
        assert show(picture=[0, 0, 1, 1])["tick"] == 1
        answer = show(wrong)
        assert answer["status"] == 422
        assert answer["detail"]
        assert show(picture=[0, 0, 1, 1])["tick"] == 2


def test_a_clip_of_unknown_content(gateway):
    """Without a label it is kept, for one that comes late."""
    app = gateway.open(**SHAPE)
    with watching(app) as show:
        for _ in range(2):
            show(picture=[0, 0, 1, 1])
        number = show(picture=[0, 0, 1, 1], learn=True)["accepted"]["first"]
    app.settle()
    assert app.get(f"/frames/{number}")["label"] is None


def test_a_label_is_taken_back(gateway):
    """As everywhere, -1 stands for one that is not known."""
    app = gateway.open(**SHAPE)
    with watching(app) as show:
        show(picture=[0, 0, 1, 1], label=2)
        show(picture=[0, 0, 1, 1])
        number = show(picture=[0, 0, 1, 1], label=-1, learn=True)["accepted"]["first"]
    app.settle()
    assert app.get(f"/frames/{number}")["label"] is None


def test_what_is_to_be_seen_is_said_by_name(gateway, tmp_path):
    path = tmp_path / "trees.csv"
    path.write_text("a,b,c,d,kind\n" + 5 * "1,0,0,1,oak\n0,1,1,0,ash\n")
    app = gateway.open(like=str(path), clip=3, batch=4, standardize=False)
    with watching(app) as show:
        answers = [show(picture=[0, 1, 1, 0], label="oak", learn=tick == 2) for tick in range(3)]
        assert {answer["name"] for answer in answers} <= {"ash", "oak"}
        wrong = show(picture=[0, 1, 1, 0], label="elm")
        assert wrong["detail"] == "label: got elm, expected ash, oak, or 0 to 1, or null for not known"
        assert wrong["place"] == "label"
    app.settle()
    assert app.get(f"/frames/{answers[2]['accepted']['first']}")["label"] == 1


@pytest.mark.parametrize("shape", [{}, {"ticks": 3}])
def test_networks_without_clips_watch_none(gateway, shape):
    app = gateway.open(**(SHAPE | {"clip": 1} | shape))
    with app.http.websocket_connect("/watch") as socket, pytest.raises(WebSocketDisconnect) as goodbye:
        socket.receive_json()
    assert goodbye.value.code == 1008


def test_a_recurrent_network_of_still_images(gateway):
    app = gateway.open(**(SHAPE | {"clip": 1, "ticks": 8}))
    assert app.stream.config.video == VideoConfig()
    app.accepted(np.eye(3, 4), [0, 1, 2])
    app.settle().close()
    assert gateway.open().settle().stream.config.video == VideoConfig()


@pytest.mark.parametrize(("name", "value"), [("ticks", 3), ("clip", 2), ("inputs", 5)])
def test_a_flag_that_contradicts_the_folder(gateway, name, value):
    gateway.open(**(SHAPE | {"clip": 1, "ticks": 8})).close()
    with pytest.raises(ConfigError, match=name):
        create_app(gateway.settings(**{name: value}))
