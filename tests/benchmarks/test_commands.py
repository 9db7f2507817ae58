import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def test_a_benchmark_leaves_table_plot_and_verdict_and_resumes(tmp_path):
    pytest.importorskip("matplotlib", reason="comes with the extra bench")
    command = [
        sys.executable,
        "-m",
        "benchmarks.sleep_deprivation",
        "--data",
        "digits",
        "--seeds",
        "1",
        "--results",
        str(tmp_path),
    ]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT) for _ in range(2))
    assert {"name", "value", "target", "met"} <= json.loads(first.stdout.splitlines()[-1]).keys()
    assert {path.suffix for path in tmp_path.iterdir()} == {".jsonl", ".md", ".png"}
    assert "dreams" in first.stderr
    assert second.stderr == ""
    assert second.stdout == first.stdout
