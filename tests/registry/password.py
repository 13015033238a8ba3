"""A docker-registry that wants a password: ann's is "secret"."""

import subprocess

HASH = "print crypt('secret', '$2y$05$abcdefghijklmnopqrstuu')"  # bcrypt, by the C library


def closed(start_registry, folder, more=""):
    """Start it; `folder` gets its htpasswd."""
    done = subprocess.run(["perl", "-e", HASH], capture_output=True, text=True, check=True)
    (folder / "htpasswd").write_text(f"ann:{done.stdout}\n")
    return start_registry(f"auth: {{htpasswd: {{realm: here, path: {folder / 'htpasswd'}}}}}\n{more}")
