"""The life of an image in a registry, from its tag to its removal, against a real one."""

from bench.scenarios.tried import Tried


class RegistryLife(Tried):
    """Each step is a yes or no."""

    name = "registry"
    title = "An image's life in a registry: does each step do what it says?"
    targets = ("container",)
