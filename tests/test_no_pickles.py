"""Nothing that we write reads or writes a pickle, and a service's folder has none."""

import ast
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ffstream_gateway.app import create_app
from ffstream_gateway.settings import Settings

ROOT = Path(__file__).parents[1]
SOURCES = [*ROOT.glob("ffstream/**/*.py"), *ROOT.glob("services/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
PICKLING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
ARRAYS = {"load", "save", "NpzFile", "read_array", "write_array"}


def faults(source):
    """Lines that import a pickler, save or load with torch, or read or write arrays and do not rule pickles out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            if {name.partition(".")[0] for name in names} & PICKLING:
                yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            whose = ast.unparse(node.func.value)
            if whose == "torch" and node.func.attr in ("load", "save"):
                yield node.lineno
            ruled_out = any(each.arg == "allow_pickle" and ast.unparse(each.value) == "False" for each in node.keywords)
            if whose.split(".")[0] in ("np", "numpy", "npy_format") and node.func.attr in ARRAYS and not ruled_out:
                yield node.lineno


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_source_has_a_way_to_one(file):
    assert list(faults(file.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(file)",
        "torch.save(state, file)",
        "np.load(file)",
        "np.load(file, allow_pickle=True)",
        "np.lib.npyio.NpzFile(file)",
        "np.save(file, array)",
    ],
)
def test_a_way_would_be_found(source):
    assert list(faults(source)) == [1]


def is_pickle(raw):
    return raw[:1] == b"\x80" and raw[1:2] <= b"\x05" and raw.rstrip().endswith(b".")


def test_a_folder_has_none(no_settings, tmp_path):
    from fastapi.testclient import TestClient

    settings = Settings.load({"folder": tmp_path, "chain": "in-process", "units": (20, 20), "every": 25}, None)
    with TestClient(create_app(settings), headers={"host": "127.0.0.1"}) as http:
        frames = {"frames": np.eye(64)[:50].tolist(), "labels": [1, 2] * 25}
        assert http.post("/feed", json=frames).status_code == 202
        assert http.post("/snapshots").status_code == 202
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert "network.json" in {each.name for each in files}
    assert any(each.suffix == ".safetensors" for each in files)
    for file in files:
        assert not is_pickle(file.read_bytes()), file
        assert not zipfile.is_zipfile(file), f"{file}: what torch.save writes is a zip file"
