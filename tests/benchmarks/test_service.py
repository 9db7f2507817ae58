"""The benchmarks of the service run, whatever they find: here with little, and with the layers in the service's process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
IN_PROCESS = ["--flags=--chain=in-process"]

BENCHMARKS = {
    "latency": [*IN_PROCESS, "--repeats", "1", "--times", "3"],
    "ingest": ["--repeats", "1", "--seconds", "0.05", "--chunk", "40"],
    "start": [*IN_PROCESS, "--repeats", "1"],
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_leaves_a_table_and_a_verdict(tmp_path, name):
    command = [sys.executable, "-m", f"benchmarks.{name}", *BENCHMARKS[name], "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {"name", "value", "target", "met"} <= found.keys()
    assert found["name"] == name
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.md"]
    assert "1/1 " in done.stderr
