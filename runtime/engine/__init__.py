"""Containers that outlive the command that made them: one keeper process, and what is on disk about each."""
