"""Control groups: where they are mounted, limits, figures."""
