"""The table of contents: `index.json` of an OCI image layout, and the names in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import RuntimeFault
from runtime.image import disk
from runtime.image.locks import locked
from runtime.image.manifest import INDEX, REF_NAME, Descriptor, Index, decode, encode
from runtime.image.reference import Reference
from runtime.image.seam import corrupt

RENEW = (
    "`tare image bootstrap --force busybox` sets it aside as {name}.damaged and begins a new one; "
    "all content stays until `tare image prune`, and images get their names when they are made again"
)


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

    def renew(self) -> bool:
        """Set a damaged file aside and begin a new one, without names; returns whether that was needed."""
        with locked(self._lock, exclusive=True):
            try:
                self._load()
            except RuntimeFault:
                if self._path.exists():
                    self._path.rename(self._unused())
                self._save([])
                return True
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep everybody from changing names; nothing may be named inside."""
        with locked(self._lock, exclusive=True):
            yield

    def read(self) -> dict[Reference, Descriptor]:
        """Return all names, sorted; a damaged file is a fault of kind `corrupt`."""
        found = {Reference.parse(name): entry for name, entry in _named(self._load())}
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
            known = self._load().manifests
            others = [other for other in known if other.annotations.get(REF_NAME) != name]
            if entry not in known or len(others) + 1 < len(known):
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

    @property
    def _hint(self) -> str:
        return RENEW.format(name=self._path.name)

    def _unused(self) -> Path:
        """Return a name for the damaged file that none before it has."""
        name = f"{self._path.name}.damaged"
        number = sum(1 for _ in self._path.parent.glob(f"{name}*"))
        return self._path.with_name(f"{name}-{number + 1}" if number else name)

    def _load(self) -> Index:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            if self._path.with_name("oci-layout").exists():
                what = f"{self._path} is missing, so the store has lost its names"
                raise corrupt(what, hint=self._hint) from None
            return Index(schema_version=2, media_type=INDEX)
        except IsADirectoryError:
            raise corrupt(f"{self._path} is a directory", hint=self._hint) from None
        index = decode(content, Index, name=str(self._path), hint=self._hint)
        try:
            for name, _ in _named(index):
                Reference.parse(name)
        except RuntimeFault as fault:
            raise corrupt(f"{self._path} is damaged: {fault}", hint=self._hint) from fault
        return index

    def _save(self, entries: list[Descriptor]) -> None:
        ordered = sorted(entries, key=lambda entry: (entry.annotations.get(REF_NAME, ""), str(entry.digest)))
        index = Index(schema_version=2, media_type=INDEX, manifests=tuple(ordered))
        disk.replace(self._path, encode(index), scratch=self._scratch)


def _named(index: Index) -> list[tuple[str, Descriptor]]:
    entries = index.manifests
    return [(entry.annotations[REF_NAME], entry) for entry in entries if REF_NAME in entry.annotations]
