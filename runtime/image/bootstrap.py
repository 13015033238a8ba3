"""Images that need no registry, by name."""

from collections.abc import Callable

from runtime.errors import RuntimeFault
from runtime.image.image import Image
from runtime.image.locks import locked
from runtime.image.reference import Reference
from runtime.image.store import Store

_Build = Callable[[Store, Callable[[str], None]], Image]


def _builders() -> dict[Reference, _Build]:
    from runtime.image import busybox, debian  # noqa: PLC0415 - every use of the store would load them

    return {
        Reference.parse(busybox.NAME): busybox.build,
        Reference.parse(debian.NAME): debian.build,
    }


def _silent(_stage: str) -> None:
    """Drop what nobody wants to hear."""


def bootstrap(
    store: Store, name: str | Reference, progress: Callable[[str], None] = _silent, *, force: bool = False
) -> Image:
    """Make one of the images that Tare can make by itself; one that exists is returned as it is.

    `force` makes it anew, and sets a damaged index aside before. `progress` hears one line a stage. Several
    processes may ask at once: one makes the image, the others wait for it. Another name is a `usage` fault.
    """
    reference = Reference.parse(name) if isinstance(name, str) else name
    builders = _builders()
    build = builders.get(reference)
    if build is None:
        known = " and ".join(sorted(reference.familiar for reference in builders))
        raise RuntimeFault(
            f"don't know how to make {reference.familiar}", kind="usage", hint=f"{known} can be made here"
        )
    with (
        store.writing(),
        locked(store.scratch / f".{reference.path.rpartition('/')[2]}.lock", exclusive=True),
    ):
        if force and store.tags.renew():
            progress(f"the damaged index of {store.root} was set aside; a new one begins")
        if not force and reference in store.tags.read():
            return store.resolve(reference)
        return build(store, progress)
