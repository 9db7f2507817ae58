"""A client of a running service: feed a little, ask a little, over and over.

make serve                              # in one terminal
python examples/stream_over_http.py     # in another
"""

import sys

from ffstream.client import Client
from ffstream.datasets import load


def main(url: str = "http://127.0.0.1:8000") -> None:
    """Stream the digits once and watch the held-out accuracy rise."""
    digits = load("digits")
    order = digits.order(passes=1, seed=0)
    with Client(url) as client:
        client.ready(timeout=60)
        for start in range(0, len(order), 200):
            rows = order[start : start + 200]
            client.feed(digits.x[rows], digits.y[rows])
            answer = client.classify(digits.x_held)
            right = (digits.y_held == answer.labels).mean()
            print(f"{start + len(rows):5} frames fed, weights of event {answer.seq:4}: {right:.1%} of the held-out right")


if __name__ == "__main__":
    main(*sys.argv[1:])
