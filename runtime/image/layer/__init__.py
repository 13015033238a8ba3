"""Layers: tar streams on one side, directories that overlayfs can stack on the other."""
