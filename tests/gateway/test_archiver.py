"""A service archives beside everything else, and is refused only what it could never do."""

import sys
import threading

import pytest
import stamina

from ffstream.actors.joined import NAMESPACE
from ffstream.errors import ArchiveError, ConfigError
from ffstream.stream.offsite import fetch
from ffstream.stream.store import Store
from ffstream_gateway import archiver
from ffstream_gateway.app import create_app


@pytest.fixture
def url(tmp_path):
    return f"file://{tmp_path}/archive"


@pytest.fixture(autouse=True)
def no_pauses():
    stamina.set_testing(True, attempts=archiver.ATTEMPTS)
    yield
    stamina.set_testing(False)


def figures(app):
    """What is told of the archive."""
    lines = app.http.get("/metrics").text.splitlines()
    values = dict(line.split() for line in lines if line.startswith("ffstream_archive") and "created" not in line)
    return int(float(values["ffstream_archive_seq"])), int(float(values["ffstream_archive_failures_total"]))


def told(caplog):
    return [each.getMessage() for each in caplog.records if each.name == archiver.__name__]


def test_every_snapshot_and_the_end(gateway, frames, url, tmp_path, wait_until):
    app = gateway.open(archive=url, keys=tmp_path / "no-keys.json")
    app.accepted(frames[0][:100], frames[1][:100])
    app.settle()
    (app.service.settings.folder / NAMESPACE).write_text("ffstream-name\n")
    (app.service.settings.folder / "keys.json").write_text("{}")
    seq = app.http.post("/snapshots").json()["seq"]
    wait_until(lambda: figures(app)[0] == seq)
    fetch(Store(url), tmp_path / "fetched")
    there = {path.name for path in (tmp_path / "fetched").iterdir()}
    assert there == {"journal.sqlite", "snapshots", "network.json", NAMESPACE, "archive.json"}
    app.accepted(frames[0][100:150], frames[1][100:150])
    app.settle()
    digests, kept = app.digests, app.kept
    app.close()
    fetch(Store(url), tmp_path / "last")
    again = gateway.open(archive=url, folder=tmp_path / "last").settle()
    assert again.digests == digests
    assert again.kept == (kept[0], kept[1] + 1), "what was closed has saved"
    wait_until(lambda: figures(again) == (kept[1] + 1, 0))


def test_without_an_archive_nothing_is_told_of_one(gateway):
    app = gateway.open()
    assert "ffstream_archive" not in app.http.get("/metrics").text


def test_a_store_that_fails_holds_up_nothing(gateway, frames, url, tmp_path, wait_until, monkeypatch, caplog):
    app = gateway.open(archive=url).settle()
    wait_until(lambda: (tmp_path / "archive" / "states").exists())
    tried = []

    def fails(store, name, content):
        tried.append(name)
        raise ArchiveError("the store is away")

    with monkeypatch.context() as away:
        away.setattr(Store, "write", fails)
        app.accepted(frames[0][:100], frames[1][:100])
        app.settle()
        app.http.post("/snapshots")
        wait_until(lambda: figures(app)[1] == 1)
        assert app.settle().get("/status")["frames"] == 100
    assert len(tried) == archiver.ATTEMPTS
    assert told(caplog) == ["not archived, for now: the store is away"]
    seq = app.http.post("/snapshots").json()["seq"]
    wait_until(lambda: figures(app) == (seq, 1))


def test_a_store_that_does_not_answer(gateway, frames, url, monkeypatch, caplog):
    answers = threading.Event()
    sizes = Store.sizes
    monkeypatch.setattr(Store, "sizes", lambda store: answers.wait(30) and sizes(store))
    monkeypatch.setattr(archiver, "CLAIM_WITHIN", 0.05)
    monkeypatch.setattr(archiver, "CLOSE_WITHIN", 0.05)
    app = gateway.open(archive=url)
    app.accepted(frames[0][:100], frames[1][:100])
    assert figures(app.settle()) == (0, 1)
    app.close()
    answers.set()
    app.service.archiver._thread.join(30)
    unanswered, unfinished = told(caplog)
    assert unanswered == f"not archived, for now: archive {url}: no answer"
    assert unfinished.startswith("the last state is not archived")


def test_a_state_that_cannot_be_copied(gateway, url, monkeypatch, wait_until, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archiver, "staged", full)
    app = gateway.open(archive=url)
    wait_until(lambda: figures(app)[1] == 1)
    assert "No space left" in caplog.text


def test_the_archive_of_another_stream(gateway, url, tmp_path):
    gateway.open(archive=url).close()
    other = gateway.settings(archive=url, folder=tmp_path / "other")
    with pytest.raises(ConfigError, match="of another stream"):
        create_app(other)
    gateway.open(folder=tmp_path / "other").settle()


@pytest.mark.parametrize("url", ["nowhere://x", "s3://bucket", "file:///proc/nowhere"])
def test_a_url_that_leads_nowhere(gateway, url, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigError, match=url) as found:
        create_app(gateway.settings(archive=url))
    assert "\n" not in str(found.value)
    gateway.open().settle()
