import subprocess
import sys

import pytest

import ffstream

WEB_AND_ACTORS = ("ray", "fastapi", "starlette", "pydantic", "uvicorn", "typer", "rich", "pytest", "sklearn")


def loaded(code, names):
    """Which of these modules are loaded once ``code`` has run in a process of its own."""
    code = f"import sys\n{code}\nprint([name for name in {names} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    return said.stdout.strip()


@pytest.mark.parametrize("module", ["ffstream", "ffstream.checks", "ffstream.datasets", "ffstream.estimators.learner"])
def test_the_library_loads_neither_ray_nor_a_web_framework(module):
    code = f"import {module}\nfrom ffstream import *"
    assert loaded(code, (*WEB_AND_ACTORS, "ffstream.client")) == "[]"


@pytest.mark.parametrize(
    "code", ["import ffstream.client", "from ffstream import client", "from ffstream.client import Client"]
)
def test_the_client_loads_neither_torch_nor_the_server(code):
    assert loaded(code, (*WEB_AND_ACTORS, "torch", "ffstream_gateway")) == "[]"


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'ffstream' has no attribute 'Nothing'"):
        _ = ffstream.Nothing
    with pytest.raises(ImportError, match="nothing"):
        from ffstream import nothing  # noqa: F401
