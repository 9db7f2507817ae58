import subprocess
import sys

import pytest

WEB_AND_ACTORS = ("ray", "fastapi", "starlette", "pydantic", "uvicorn", "typer", "rich", "pytest", "sklearn")


@pytest.mark.parametrize("module", ["ffstream", "ffstream.checks", "ffstream.datasets"])
def test_the_library_loads_neither_ray_nor_a_web_framework(module):
    code = f"import sys, {module}; print([name for name in {WEB_AND_ACTORS} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]", said.stderr
