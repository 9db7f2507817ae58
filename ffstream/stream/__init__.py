"""The stream: events, journal, sequencer, snapshots. Plain state machines that know no transport."""
