"""What the tests of the stream share."""

import pytest


@pytest.fixture(params=["memory", "folder"])
def folder(request, tmp_path):
    """Where a stream keeps its past, and nowhere."""
    return tmp_path if request.param == "folder" else None
