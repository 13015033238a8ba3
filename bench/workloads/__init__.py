"""What runs inside every box: the agent, and the images that carry it."""
