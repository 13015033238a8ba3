"""An image as the rest of Tare sees it."""

from dataclasses import dataclass
from datetime import datetime

from runtime.errors import RuntimeFault
from runtime.image.digest import Digest
from runtime.image.manifest import ConfigDocument, Descriptor, Manifest, RunConfig


@dataclass(frozen=True, slots=True)
class Image:
    """An image for one platform. Two images with one digest are the same image."""

    digest: Digest
    manifest: Manifest
    document: ConfigDocument

    @property
    def config(self) -> RunConfig:
        """How a container of this image starts."""
        return self.document.config

    @property
    def created(self) -> datetime | None:
        """When the image was made."""
        return self.document.created

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The compressed layers, bottom first."""
        return self.manifest.layers

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        """The digests of the uncompressed layers, bottom first."""
        return self.document.rootfs.diff_ids

    @property
    def chain_id(self) -> Digest:
        """The identity of the stacked layers (OCI image-spec, config.md, "Layer ChainID")."""
        first, *rest = self.diff_ids or (Digest.of(b""),)
        chain = first
        for diff_id in rest:
            chain = Digest.of(f"{chain} {diff_id}".encode())
        return chain

    @property
    def size(self) -> int:
        """Bytes of all its blobs, compressed as they are stored; shared layers count."""
        return self.manifest.config.size + sum(layer.size for layer in self.layers)

    def argv(self, command: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return what process 1 runs: the entrypoint, then `command` or the image's own."""
        argv = self.config.entrypoint + (command or self.config.cmd)
        if argv:
            return argv
        raise RuntimeFault(
            f"image {self.digest.short} names no command",
            kind="usage",
            hint="give one after the image's name",
        )
