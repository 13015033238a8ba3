"""Trials: what scenarios do with a target's own tools where no box is the subject."""
