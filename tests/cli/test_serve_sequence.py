"""A text from the shell: read, gone on with, and what is said when the service learns something else."""

import json

import pytest

from ffstream.client import Client, Status
from ffstream.client.answers import read
from ffstream.errors import ConfigError
from ffstream_gateway.reading import text_for
from tests.cli.answers import STATUS
from tests.cli.test_serve import FLAGS, interrupt, url

TALE = "the fox and the grapes; the fox and the crow; the dog and the bone. " * 10


def test_a_text_is_read_and_gone_on_with(ffstream, tmp_path):
    tale = tmp_path / "tale.txt"
    tale.write_text(TALE)
    served = ffstream(*FLAGS, "--task", "sequence", "--every", 200)
    with Client(url(served)) as client:
        client.ready(60)
        run = ffstream("read", tale, "--passes", 3, "--url", client.url)
        assert run.wait() == 0, run.complained
        assert f"learned {3 * (len(TALE) - 10)} symbols" in run.said
        assert client.status().dreams > 1000
        asked = ["generate", "the fox and the g", "--length", 30, "--temperature", 0.2, "--url", client.url]
        run, as_json = ffstream(*asked), ffstream(*asked, "--json")
        assert run.wait() == as_json.wait() == 0
        assert run.said.startswith("rapes; the fox")
        assert json.loads(as_json.said)["text"] == run.said.rstrip("\n")
        run = ffstream("generate", "short", "--url", client.url)
        assert run.wait() == 1
        assert "got 5 symbols" in run.complained
    interrupt(served)


def test_frames_of_numbers_are_no_text(tmp_path):
    with pytest.raises(ConfigError, match="ffstream serve --task sequence"):
        text_for(read(json.dumps(STATUS), Status), tmp_path)
