"""Tare's container runtime: namespaces, cgroups, overlay root file systems, process 1."""
