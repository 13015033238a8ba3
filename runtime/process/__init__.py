"""The small process that forks, and the child's side of a start."""
