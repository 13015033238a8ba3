"""What building an image takes and leaves: order of the steps, rights, secrets, layers, the course's lab."""

from bench.scenarios.tried import Tried


class Build(Tried):
    """The same Dockerfiles by Tare's builder and by docker's classic one."""

    name = "build"
    title = "Steps side by side, rights, secrets and layers of a build"
    targets = ("container", "docker")
