"""``python -m ffstream_gateway`` is the command line."""

from ffstream_gateway.cli import app

app(prog_name="ffstream")
