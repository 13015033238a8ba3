"""One file a verb: USAGE, OPTIONS, MIXED (options may follow the id), and `run`."""
