"""The image builder: Dockerfiles as values, their context, and the graph of what to do."""
