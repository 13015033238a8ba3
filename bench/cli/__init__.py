"""The command line: parses, calls, prints. Nothing else in Tare prints or exits."""
