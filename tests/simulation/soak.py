"""Many lives, several processes at once."""

import argparse
import multiprocessing
import os
import random
import time
import traceback
from collections import Counter
from contextlib import ExitStack

import torch

from tests.simulation.life import live

BLOCK = 20
"""Seeds that a process lives in a row."""


def lived(seeds: range) -> tuple[Counter[str], dict[int, str]]:
    """What happened in the lives of these seeds, and how each one that failed did."""
    torch.set_num_threads(1)
    happened: Counter[str] = Counter()
    failed = {}
    for seed in seeds:
        try:
            happened += live(seed).happened
        except Exception:
            failed[seed] = traceback.format_exc()
    return happened, failed


def main(arguments: list[str]) -> int:
    """Exit code: whether any life failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description="Live so many seeds, and print those that fail."
    )
    parser.add_argument("lives", type=int)
    parser.add_argument("--start", type=int, help="first seed; drawn by lot if not given")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    told = parser.parse_args(arguments)
    start = random.randrange(1 << 32) if told.start is None else told.start
    end = start + told.lives
    blocks = [range(first, min(first + BLOCK, end)) for first in range(start, end, BLOCK)]
    happened: Counter[str] = Counter()
    failed: dict[int, str] = {}
    began = time.monotonic()
    with ExitStack() as stack:
        pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(told.jobs)) if told.jobs > 1 else None
        for done, (counted, broken) in enumerate(pool.imap(lived, blocks) if pool else map(lived, blocks), start=1):
            happened += counted
            failed |= broken
            for seed, how in broken.items():
                print(f"\nseed {seed} fails: python -m tests.simulation 1 --start {seed}\n{how}", flush=True)
            if done % 10 == 0:
                print(f"{min(done * BLOCK, told.lives)} of {told.lives} lives, {len(failed)} failed", flush=True)
    print(", ".join(f"{count} {name}" for name, count in sorted(happened.items())))
    print(f"seeds {start} to {end - 1}: {len(failed)} of {told.lives} lives failed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0
