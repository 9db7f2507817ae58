"""The commands as a shell sees them: one line on stderr and an exit code when something fails, never a traceback."""

import re
import subprocess
import sys

import pytest


def test_version(ffstream):
    run = ffstream("--version")
    assert run.wait() == 0
    assert re.fullmatch(r"ffstream \d+\.\d+\.\d+\n", run.said)


def test_importing_the_command_line_is_quick():
    heavy = "{'torch', 'ray', 'fastapi', 'numpy', 'uvicorn', 'pydantic_settings'}"
    program = f"import sys; import ffstream_gateway.cli; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["feed", "nothing"], 1, "data set: got 'nothing', expected 'digits'"),
        (["classify", "nothing"], 1, "data set: got 'nothing'"),
        (["demo", "--data", "nothing"], 1, "data set: got 'nothing'"),
        (["feed", "digits", "--url", "http://127.0.0.1:9"], 1, "no answer from http://127.0.0.1:9"),
        (["status", "--url", "http://127.0.0.1:9"], 1, "no answer from http://127.0.0.1:9"),
        (["sleep", "--url", "nowhere"], 1, "'nowhere' is not the URL of a service: expected one like http://"),
        (["label", "1=2", "--url", "http://127.0.0.1:9"], 1, "no answer from http://127.0.0.1:9"),
        (["restore", "1", "--url", "http://127.0.0.1:9"], 1, "no answer from http://127.0.0.1:9"),
        (["label"], 2, "no label given: expected ID=LABEL like 12=3, or --file"),
        (["label", "12=3", "12"], 2, "got '12', expected ID=LABEL"),
        (["label", "--file", "nowhere"], 2, "nowhere"),
        (["frame", "one"], 2, "'N'"),
        (["frame", "0"], 2, "'N'"),
        (["restore", "newest"], 2, "'SEQ'"),
        (["feed", "digits", "--passes", "0"], 2, "'--passes'"),
        (["serve", "--port", "http"], 2, "'--port'"),
        (["serve", "--port", "-1"], 2, "port"),
        (["serve", "--units", "500,many"], 2, "units"),
        (["serve", "--units", "500,0"], 2, "units"),
        (["serve", "--every", "often"], 2, "every"),
        (["serve", "--idle", "-1"], 2, "idle"),
        (["serve", "--like", "nothing", "--chain", "in-process"], 1, "data set: got 'nothing'"),
        (["serve", "--settings", "nowhere.toml"], 2, "nowhere.toml"),
        (["serve", "--log-level", "loud"], 2, "log_level"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_failure_is_one_line(ffstream, arguments, code, reason):
    run = ffstream(*arguments)
    assert run.wait() == code, run.complained
    assert reason in run.complained
    assert run.complained.startswith("ffstream: ")
    assert run.complained.count("\n") == 1
    assert run.said == "" or arguments[0] == "demo"
