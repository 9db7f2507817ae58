"""The ffstream service: HTTP in front of a stream that learns while it answers."""
