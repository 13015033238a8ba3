"""Images as one file: OCI's and docker's archives, written and read as streams."""
