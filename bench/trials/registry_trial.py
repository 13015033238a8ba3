"""The trial of the scenario `registry`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.target import Image, Prepared
from bench.targets.drivers import Drivers
from bench.trials import registry_life, registry_ways, scanning, webhook
from bench.trials.registry_server import registry
from bench.trials.tools import Tare, tare, translated
from bench.value import Value
from runtime.image.bootstrap import bootstrap
from runtime.image.image import Image as Stored

NAME = "busybox:latest"
BOUNDARY = (
    "Tare's client against docker-registry on loopback, each take with fresh ones: tag, list, delete, "
    "keep the newest, log in, pull through a mirror twice, be told of a push, scan what was pulled"
)


@dataclass(frozen=True)
class RegistryTrial:
    """The steps, in the order of an image's life."""

    drivers: Drivers
    prepared: Prepared
    tare: Tare
    image: Stored

    def take(self) -> list[Value]:
        """Go through all of them."""
        source, image = self.tare.store, self.image
        with translated(), registry(self.drivers) as server:
            return [
                *registry_life.measure(source, image, server),
                registry_ways.login(self.tare, NAME),
                *registry_ways.mirror(self.drivers, source, image),
                webhook.measure(self.drivers, source, image),
                scanning.measure(self.drivers, source, image, server),
            ]


@contextmanager
def prepare(drivers: Drivers) -> Iterator[RegistryTrial]:
    """Make an image in a store of its own."""
    with tare(drivers) as own:
        with translated():
            image = bootstrap(own.store, "busybox")
        yield RegistryTrial(drivers, Prepared(Image(NAME, str(image.digest)), None, BOUNDARY), own, image)
