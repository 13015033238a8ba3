"""Tare for pytest: a fixture `target` that starts boxes, beside pytest-benchmark's `benchmark`."""
