"""The table of contents: `index.json` of an OCI image layout, and the names in it."""

from pathlib import Path

from runtime.image import disk
from runtime.image.locks import locked
from runtime.image.manifest import INDEX, REF_NAME, Descriptor, Index, decode, encode
from runtime.image.reference import Reference
from runtime.image.seam import corrupt


class Tags:
    """Names of manifests. Every change reads, alters and replaces the file under an exclusive lock."""

    def __init__(self, path: Path, *, lock: Path, scratch: Path) -> None:
        self._path = path
        self._lock = lock
        self._scratch = scratch

    def create(self) -> None:
        """Make the file if there is none."""
        with locked(self._lock, exclusive=True):
            if not self._path.exists():
                self._save([])

    def read(self) -> dict[Reference, Descriptor]:
        """Return all names, sorted; a damaged file is a fault of kind `corrupt`."""
        found = {Reference.parse(name): entry for name, entry in self._named()}
        return dict(sorted(found.items(), key=lambda item: str(item[0])))

    def descriptors(self) -> tuple[Descriptor, ...]:
        """Return every manifest listed, named or not."""
        return self._load().manifests

    def set(self, reference: Reference, descriptor: Descriptor) -> None:
        """Give a manifest a name, which any other manifest loses."""
        name = str(reference)
        entry = Descriptor(
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            size=descriptor.size,
            platform=descriptor.platform,
            annotations={**descriptor.annotations, REF_NAME: name},
        )
        with locked(self._lock, exclusive=True):
            others = [other for other in self._load().manifests if other.annotations.get(REF_NAME) != name]
            self._save([*others, entry])

    def remove(self, reference: Reference) -> bool:
        """Forget a name; returns whether there was one."""
        name = str(reference)
        with locked(self._lock, exclusive=True):
            before = self._load().manifests
            after = [entry for entry in before if entry.annotations.get(REF_NAME) != name]
            if len(after) < len(before):
                self._save(after)
        return len(after) < len(before)

    def _named(self) -> list[tuple[str, Descriptor]]:
        entries = self._load().manifests
        return [(entry.annotations[REF_NAME], entry) for entry in entries if REF_NAME in entry.annotations]

    def _load(self) -> Index:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            if self._path.with_name("oci-layout").exists():
                raise corrupt(f"{self._path} is missing, so the store has lost its names") from None
            return Index(schema_version=2, media_type=INDEX)
        return decode(content, Index, name=str(self._path))

    def _save(self, entries: list[Descriptor]) -> None:
        ordered = sorted(entries, key=lambda entry: (entry.annotations.get(REF_NAME, ""), str(entry.digest)))
        index = Index(schema_version=2, media_type=INDEX, manifests=tuple(ordered))
        disk.replace(self._path, encode(index), scratch=self._scratch)
