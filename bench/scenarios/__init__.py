"""What is measured: one file a scenario, behind the protocol of `bench.scenario`."""
