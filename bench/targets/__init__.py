"""The boxes that Tare compares: one file each, behind the protocol of `bench.target`."""
