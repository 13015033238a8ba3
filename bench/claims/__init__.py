"""Claims as hypotheses that are fixed before the data, and their verdicts."""
