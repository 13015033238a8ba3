"""The root file system of a container, planned as values and then mounted."""
