"""The whole stream in one thread, with seeded faults: see :mod:`tests.simulation.life`."""
