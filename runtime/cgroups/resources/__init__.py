"""linux.resources of config.json: one file per object in it, each turning its fields into steps."""
