"""The images that a build starts from or copies from: those of the store, and what a registry has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.builder import output
from runtime.builder.plan import Base
from runtime.errors import RuntimeFault
from runtime.image.reference import Reference

if TYPE_CHECKING:
    from runtime.builder.progress import Progress
    from runtime.image.image import Image
    from runtime.image.store import Store


class Bases:
    """Finds images by name, and remembers them by their digests.

    One that the store has not is pulled; with `always` every one with a name is, so that it is the newest.
    """

    def __init__(self, store: Store, progress: Progress, *, always: bool) -> None:
        self._store, self._progress, self._always = store, progress, always
        self.found: dict[str, Image] = {}

    def resolve(self, name: str, platform: str) -> Base:
        """Return an image; a fault says that nobody has it, or that it is for another platform."""
        image = self._pulled(name) if self._always else self._known(name)
        own = f"{image.document.os}/{image.document.architecture}"
        if platform.split("/")[:2] != own.split("/"):
            raise RuntimeFault(f"{name} is an image for {own}, not {platform}", kind="missing")
        self.found[image.digest] = image
        return Base(image.digest, output.settings(image.config, image.document.author))

    def _known(self, name: str) -> Image:
        try:
            return self._store.resolve(name)
        except RuntimeFault as err:
            if err.kind != "missing":
                raise
            try:
                return self._pulled(name)
            except RuntimeFault as fault:
                raise RuntimeFault(f"{err}, and {fault}", kind="missing", hint=err.hint) from fault

    def _pulled(self, name: str) -> Image:
        from runtime.registry import pull  # noqa: PLC0415 - most builds need none

        self._progress.note(f"pulling {name}")
        return self._store.load(pull(self._store, Reference.parse(name), unpack=True))
