"""What it takes to bring an image to clean hosts: bytes at the socket, and seconds until a box runs."""

from bench.scenarios.tried import Tried


class Distribution(Tried):
    """Layers against whole and delta qcow2, moved by the same means."""

    name = "distribution"
    title = "From a push to a running box, on clean hosts"
    targets = ("container", "vm")
