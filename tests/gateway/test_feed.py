import threading

import numpy as np
import pytest

JSON, NDJSON, NPY = "application/json", "application/x-ndjson", "application/x-npy"
KINDS = [JSON, NDJSON, NPY]


def test_digits_in_three_body_types_are_learned(gateway, frames, digits):
    x, y = frames
    app = gateway.open(every=125)
    for index, start in enumerate(range(0, 1400, 100)):
        kind = (*KINDS, "application/octet-stream")[index % 4]
        answer = app.feed(x[start : start + 100], y[start : start + 100], kind)
        assert answer.status_code == 202
        assert answer.json()["first"] == start + 1
        assert answer.json()["last"] == start + 100
        assert answer.json()["frames"] == 100
        assert answer.json()["repeated"] is False
    app.settle()
    status = app.get("/status")
    assert status["accepted"] == status["frames"] == status["labelled"] == 1400
    assert status["sleeps"] == 11
    assert status["accuracy"] > 0.75
    assert status["accuracy"] > status["accuracy_overall"]
    held = app.classify(digits.x_held, NPY, method="one_pass").json()
    assert np.mean(np.array(held["labels"]) == digits.y_held) > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_every_body_type_keeps_the_same_frames(gateway, encode, kind):
    x = np.random.default_rng(0).random((7, 64)).astype(np.float32)
    app = gateway.open()
    assert app.feed(x, np.arange(7), kind).status_code == 202
    kept, labels = app.stream.journal.read(1, 7)
    np.testing.assert_array_equal(kept.numpy(), x)
    assert labels.tolist() == list(range(7))


def test_bytes_stand_for_0_to_1(gateway):
    app = gateway.open()
    app.accepted(np.full((1, 64), 255, np.uint8))
    assert app.stream.journal.read(1, 1)[0].eq(1).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "<i4", "u1"])
def test_numbers_of_every_kind_and_order(shared, dtype, order):
    x = np.array(np.arange(128).reshape(2, 64), dtype, order=order)
    first = shared.accepted(x)["first"]
    kept = shared.stream.journal.read(first, first + 1)[0].numpy()
    np.testing.assert_allclose(kept * (255 if dtype == "u1" else 1), np.arange(128).reshape(2, 64), rtol=1e-6)


@pytest.mark.parametrize("type_with_more", ["application/json; charset=utf-8", "Application/JSON"])
def test_content_type_may_have_parameters_and_capitals(shared, encode, type_with_more):
    assert shared.post("/feed", encode(JSON, np.ones((1, 64))), type_with_more).status_code == 202


def test_null_and_minus_1_are_unknown_labels(gateway):
    app = gateway.open()
    row = [0.5] * 64
    assert app.http.post("/feed", json={"frames": [row] * 3, "labels": [2, None, -1]}).status_code == 202
    assert app.http.post("/feed", json={"frames": [row], "labels": None}).status_code == 202
    lines = b'{"frame": %s, "label": null}\n\n{"frame": %s}\r\n{"frame": %s, "label": 3}'
    raw = str(row).encode()
    assert app.post("/feed", lines % (raw, raw, raw), NDJSON).status_code == 202
    assert app.stream.journal.read(1, 7)[1].tolist() == [2, -1, -1, -1, -1, -1, 3]
    app.settle()
    assert app.get("/status")["labelled"] == 2


def test_frames_without_labels_before_any_label(gateway, wait_until):
    app = gateway.open(batch=1)
    app.accepted(np.random.default_rng(0).random((3, 64)))
    wait_until(lambda: app.stream.progress.frames == 3 or app.service.error, 5)
    assert app.service.error is None
    app.settle()
    assert app.get("/status")["labelled"] == 0
    assert app.get("/status")["accuracy"] is None


@pytest.mark.parametrize("size", [1e38, 1e20, 1e-30, 0.0])
def test_extreme_frames_do_no_harm(gateway, frames, size):
    app = gateway.open()
    app.accepted(frames[0][:50], frames[1][:50])
    app.accepted(np.full((2, 64), size), [1, -1])
    app.settle()
    scores = np.array(app.classify(np.concatenate([frames[0][:5] / 255, np.full((1, 64), size)])).json()["scores"], dtype=float)
    assert np.isfinite(scores).all()


def test_feeds_at_once_get_numbers_without_gap_or_overlap(gateway, encode):
    app = gateway.open()
    answers = []

    def feed():
        answers.extend(app.accepted(np.ones((3, 64)), [1, 2, 3]) for _ in range(5))

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each["first"] for each in answers) == list(range(1, 61, 3))
    assert all(each["last"] == each["first"] + 2 for each in answers)
    app.settle()
    assert app.get("/status")["frames"] == 60


def test_a_key_is_learned_once(gateway, frames):
    app = gateway.open()
    x, y = frames[0][:30], frames[1][:30]
    first = app.feed(x, y, idempotency_key="a").json()
    app.settle()
    before = app.digests
    again = app.feed(x, y, idempotency_key="a")
    assert again.status_code == 202
    assert again.json() == {"first": 1, "last": 30, "frames": 30, "repeated": True, "waiting": 0}
    assert first["repeated"] is False
    app.settle()
    assert app.digests == before
    assert app.get("/status")["frames"] == 30
    app.close()

    app = gateway.open().settle()
    assert app.feed(x, y, idempotency_key="a").json() == again.json()
    app.settle()
    assert app.get("/status")["frames"] == app.get("/status")["accepted"] == 30
    assert app.feed(x, y, idempotency_key="b").json()["first"] == 31


def test_a_key_with_another_request_is_refused(gateway, frames, refused):
    app = gateway.open()
    x, y = frames[0][:5], frames[1][:5]
    app.feed(x, y, idempotency_key="a")
    problem = refused(app.feed(x, y[::-1], idempotency_key="a"), 422, "idempotency-key", "Idempotency-Key")
    assert "'a'" in problem["detail"]
    refused(app.feed(x, y, JSON, idempotency_key="a"), 422, "idempotency-key")
    assert app.stream.journal.last_frame == 5


def test_a_refused_request_uses_up_no_key(gateway, refused):
    app = gateway.open()
    refused(app.feed(np.ones((1, 63)), idempotency_key="a"), 422)
    assert app.feed(np.ones((1, 64)), idempotency_key="a").json()["repeated"] is False


def test_a_key_too_long_is_refused(shared, refused):
    kept = shared.kept
    refused(shared.feed(np.ones((1, 64)), idempotency_key="k" * 201), 422, "invalid")
    assert shared.kept == kept


def test_a_full_backlog_refuses_and_keeps_nothing(gateway, refused):
    opening = gateway.hold("__init__")
    app = gateway.open(backlog=50)
    assert app.accepted(np.ones((40, 64)))["waiting"] == 40
    answer = app.feed(np.ones((11, 64)), np.ones(11, int), idempotency_key="a")
    problem = refused(answer, 429, "backlog")
    assert 1 <= int(answer.headers["retry-after"]) <= 5, "while the chain opens nobody knows how long learning will take"
    assert "40" in problem["detail"]
    assert "50" in problem["detail"]
    assert app.kept == (40, 0)
    assert app.accepted(np.ones((10, 64)), [1] * 10)["last"] == 50
    refused(app.feed(np.ones((1, 64))), 429, "backlog")
    assert app.get("/status")["waiting"] == 50
    opening.open()


def test_while_the_backlog_is_full_a_body_is_not_even_read_unless_it_may_be_a_repetition(gateway, refused):
    opening = gateway.hold("__init__")
    app = gateway.open(backlog=5)
    app.accepted(np.ones((5, 64)))
    refused(app.post("/feed", b"no frames", "application/json"), 429, "backlog")
    refused(app.post("/feed", b"no frames", "application/json", idempotency_key="a"), 422, "json")
    opening.open()


def test_a_backlog_empties_and_takes_again(gateway, refused, frames):
    opening = gateway.hold("__init__")
    app = gateway.open(backlog=50)
    app.accepted(frames[0][:50], frames[1][:50])
    again = {"frames": frames[0][50:75], "labels": frames[1][50:75], "idempotency_key": "b"}
    refused(app.feed(**again), 429)
    opening.open()
    app.settle()
    answer = app.feed(**again).json()
    assert (answer["first"], answer["last"], answer["repeated"]) == (51, 75, False)
    app.settle()
    assert app.get("/status")["frames"] == 75


def test_a_repetition_is_answered_while_the_backlog_is_full(gateway):
    opening = gateway.hold("__init__")
    app = gateway.open(backlog=5)
    app.feed(np.ones((5, 64)), [1] * 5, idempotency_key="a")
    assert app.feed(np.ones((5, 64)), [1] * 5, idempotency_key="a").json()["repeated"] is True
    opening.open()
