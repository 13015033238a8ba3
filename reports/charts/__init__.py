"""Charts: one module for a scenario, each turning a view into figures. No file is read or written."""
