"""``python -m tests.simulation LIVES``."""

import sys

from tests.simulation.soak import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
