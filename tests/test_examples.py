import os
import subprocess
import sys
import tomllib
from pathlib import Path

from ffstream_gateway.child import Child
from ffstream_gateway.settings import Settings

ROOT = Path(__file__).parent.parent


def test_one_pass_runs(tmp_path, digits):
    """The README's figures come from this file; here on data that is at hand."""
    import numpy as np

    np.savez(tmp_path / "digits.npz", x=digits.x, y=digits.y, x_test=digits.x_held, y_test=digits.y_held)
    command = [sys.executable, str(ROOT / "examples/one_pass.py"), str(tmp_path / "digits.npz"), "--every", "200"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.count("held out") == 3


def test_moving_digits_runs():
    command = [sys.executable, str(ROOT / "examples/moving_digits.py"), "--clips", "200"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert "recurrent: " in said
    assert "feed-forward: " in said
    assert len(said.splitlines()[-1].split("by tick: ")[1].split()) == 8


def test_stream_over_http_runs():
    with Child(["--chain", "in-process", "--units", "100,100"]) as child:
        command = [sys.executable, str(ROOT / "examples/stream_over_http.py"), child.url()]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    assert len(said) == 8
    assert said[-1].startswith(" 1438 frames fed, weights of event ")


def test_tables_runs():
    command = [sys.executable, str(ROOT / "examples/tables.py"), "--rows", "300"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.splitlines()[-1].startswith("300 rows: ffstream ")


def test_deployed_settings_are_the_defaults(monkeypatch):
    """The file that documents every setting names every setting with its default, but for those that not every network has."""
    for name in [name for name in os.environ if name.startswith("FFSTREAM_")]:
        monkeypatch.delenv(name)
    file = ROOT / "deploy/ffstream.toml"
    assert Settings.load({}, file).model_dump() == Settings.load({}).model_dump()
    assert set(tomllib.loads(file.read_text())) == set(Settings.model_fields) - {
        "like",
        "alphabet",
        "context",
        "keys",
        "node_ip",
    }
