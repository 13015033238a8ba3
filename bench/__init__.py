"""The harness: targets, scenarios, schedule, statistics and the result file."""
