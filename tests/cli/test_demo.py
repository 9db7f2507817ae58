"""The demo from end to end, and that nothing of it stays behind whatever happens to it."""

import os
import signal

import psutil
import pytest

from tests.patience import until

QUICK = ["demo", "--chain", "in-process", "--passes", "1"]


def family(run):
    return psutil.Process(run.popen.pid).children(recursive=True)


def test_demo_learns_and_leaves_nothing(ffstream, tmp_path):
    run = ffstream(*QUICK)
    until(lambda: family(run), 60)
    children = family(run)
    assert run.wait(120) == 0, run.complained
    assert run.complained == ""
    assert "learned 1438 frames in " in run.said
    assert "prequential accuracy, frames 876 to 1375 (new): 9" in run.said
    for method in ("one_pass", "goodness", "shortlist"):
        assert f", {method}: " in run.said
    assert "sleeps" in run.said
    assert not any(child.is_running() for child in children)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("said", "sent"),
    [("network:", signal.SIGINT), ("ready", signal.SIGINT), ("learned 2", signal.SIGINT), ("learned 2", signal.SIGTERM)],
)
def test_interrupted_demo_leaves_nothing(ffstream, tmp_path, said, sent):
    run = ffstream("demo", "--chain", "in-process", "--passes", "20")
    until(lambda: family(run) and said in run.said, 60)
    children = family(run)
    os.kill(run.popen.pid, sent)
    assert run.wait() == 130, run.complained
    assert run.complained == "ffstream: stopped\n"
    assert not any(child.is_running() for child in children)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_demo_shows_why_its_service_died(ffstream, tmp_path):
    run = ffstream("demo", "--chain", "in-process", "--passes", "20")
    until(lambda: "learned 2" in run.said, 60)
    family(run)[0].kill()
    assert run.wait() == 1
    assert "the service has died (exit code -9)" in run.complained
    assert "Traceback" not in run.complained
    assert list((tmp_path / "tmp").iterdir()) == []
