"""Benchmarks: each a module with a command, a table, a plot and a verdict (see ``README.md`` beside this file)."""
