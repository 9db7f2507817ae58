"""The README keeps its promises: every Python block in it runs, one after another, beside a service of its own."""

import re
from pathlib import Path

from ffstream.client.line import HERE
from ffstream_gateway.child import Child

README = Path(__file__).parent.parent / "README.md"


def test_every_python_block_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = README.read_text()
    blocks = re.findall(r"^```python[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == text.count("```python"), "a block is not closed, or does not start its line"
    namespace = {"__name__": "__main__"}
    with Child(["--chain", "in-process", "--units", "100,100"]) as child:
        for number, block in enumerate(blocks, start=1):
            exec(compile(block.replace(HERE, child.url()), f"README.md, Python block {number}", "exec"), namespace)
