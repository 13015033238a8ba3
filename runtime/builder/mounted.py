"""RUN --mount: what is put into the container besides its root, for the time of the command only."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import posixpath
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.builder import agent
from runtime.builder import graph as ops
from runtime.builder.placing import Layout
from runtime.builder.selection import select
from runtime.builder.tree import Tree
from runtime.container.scratch import scratch
from runtime.image.layer.pack import pack
from runtime.image.layer.unpack import unpack
from runtime.rootfs.plan import Bind, Tmpfs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    from runtime.builder.context import Context
    from runtime.builder.dockerfile.mounts import Mount

_SCRIPT = "/dev/pipes/script"
_LOCKS = {
    "shared": fcntl.LOCK_SH,
    "locked": fcntl.LOCK_EX,
    "private": fcntl.LOCK_EX | fcntl.LOCK_NB,
}
_HOSTS = Path("/etc/hosts")


@dataclass(slots=True)
class Mounts:
    """The mounts of one RUN as they are prepared.

    `scratch` is a directory that is removed after the command, `caches` one that stays, `secrets` the
    values by their id, `agents` the sockets of ssh-agents by theirs; whatever has to be released is pushed
    on `stack`.
    """

    scratch: Path
    caches: Path
    secrets: Mapping[str, bytes]
    stack: ExitStack
    found: list[Bind | Tmpfs] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)

    def prepare(self, operation: ops.Execute, context: Context, origins: list[Context]) -> tuple[str, ...]:
        """Prepare all mounts and return the command; a value error names what is not supported.

        `origins` are the roots that the mounts with `from` take from, in their order.
        """
        left = iter(origins)
        for mount in operation.mounts:
            self._add(mount, next(left) if mount.origin else context, operation.workdir)
        if not operation.script:
            return operation.command
        self._bind(self._file(operation.script.encode(errors="surrogateescape"), 0o755), _SCRIPT)
        return (_SCRIPT,)

    def hosts(self, pairs: tuple[tuple[str, str], ...]) -> None:
        """Show an /etc/hosts in which names have addresses, before those of this machine."""
        if pairs:
            known = _HOSTS.read_bytes() if _HOSTS.exists() else b""
            lines = "".join(f"{address}\t{name}\n" for name, address in pairs)
            self._bind(self._file(lines.encode() + known, 0o644), str(_HOSTS), readonly=True)

    def _add(self, mount: Mount, context: Context, workdir: str) -> None:
        target = posixpath.normpath(posixpath.join(workdir, mount.target))
        match mount.kind:
            case "bind":
                self._bind(self._taken(mount, context), target, readonly=not mount.writable)
            case "cache":
                self._bind(self._cache(mount, context), target, readonly=not mount.writable)
            case "tmpfs":
                self.found.append(Tmpfs(target, mount.size))
            case "secret":
                self._secret(mount, target if mount.target else f"/run/secrets/{mount.id}")
            case _:
                self._ssh(mount, target if mount.target else f"/run/buildkit/ssh_agent.{len(self.found)}")

    def _bind(self, source: Path, target: str, *, readonly: bool = False) -> None:
        self.found.append(Bind(source, target, readonly=readonly))

    def _directory(self) -> Path:
        return self.scratch / os.path.basename(tempfile.mkdtemp(dir=self.scratch))  # noqa: PTH119 - a text

    def _file(self, data: bytes, mode: int, uid: int = 0, gid: int = 0) -> Path:
        place = self._directory() / "file"
        place.touch(0o600)
        place.write_bytes(data)
        os.chown(place, uid, gid)
        place.chmod(mode)
        return place

    def _taken(self, mount: Mount, context: Context) -> Path:
        """Copy what a bind shows: the command may write to it, and nothing of that stays."""
        found = select(context, (mount.source or "/",), "/")
        layout, place = Layout(Tree(()), epoch=(1 << 33)), self._directory()
        layout.copy(ops.Placing("/", into_directory=True, owner="", mode=""), found, context)
        with tempfile.TemporaryFile(dir=self.scratch) as tar:
            layout.pack(tar)
            tar.seek(0)
            unpack(tar, place)
        place.chmod(0o755)
        single = context.find(mount.source or "/")
        return place / found.taken[0].name if single and single.kind == "file" else place

    def _cache(self, mount: Mount, context: Context) -> Path:
        place = self._reserved(mount, context)
        if not place.exists():
            self._seed(mount, context, place)
            os.chown(place, mount.uid, mount.gid)
            place.chmod(mount.mode)
        return place

    def _reserved(self, mount: Mount, context: Context) -> Path:
        """Lock the directory of a cache, and return it; of a private one the first that nobody has."""
        seed = f"\0{self._content(mount, context)}" if mount.origin else ""
        self.caches.mkdir(0o700, parents=True, exist_ok=True)
        for number in itertools.count():
            private = f"\0private{number}" if mount.sharing == "private" else ""
            name = hashlib.sha256(f"{mount.id}{seed}{private}".encode(errors="surrogateescape")).hexdigest()
            lock = (self.caches / name).with_suffix(".lock").open("wb")
            try:
                fcntl.flock(lock, _LOCKS[mount.sharing])
            except BlockingIOError:
                lock.close()
                continue
            self.stack.enter_context(lock)
            lock.write(mount.id.encode(errors="surrogateescape"))  # for people
            lock.flush()
            return self.caches / name
        raise AssertionError

    def _content(self, mount: Mount, context: Context) -> str:
        return select(context, (mount.source or "/",), "/").digest(context)

    def _seed(self, mount: Mount, context: Context, place: Path) -> None:
        """Begin a cache, with what a stage or an image has for it; it appears whole, or not at all."""
        if mount.source and not mount.origin:
            raise ValueError("--mount=type=cache with a source needs a from")
        made = self._taken(mount, context) if mount.origin else self._directory()
        with tempfile.TemporaryFile(dir=self.scratch) as tar, scratch(self.caches) as beside:
            pack(made, tar, whiteouts=False)
            tar.seek(0)
            new = beside / "new"
            new.mkdir()
            unpack(tar, new)
            with suppress(OSError):  # another build that shares it was first
                new.rename(place)

    def _ssh(self, mount: Mount, target: str) -> None:
        if mount.id not in self.agents:
            if mount.required:
                raise ValueError(f"the agent {mount.id} is required; give it with --ssh {mount.id}")
            return
        place = self.stack.enter_context(agent.relay(self.agents[mount.id], self._directory()))
        os.chown(place, mount.uid, mount.gid)
        place.chmod(mount.mode)
        self.environment["SSH_AUTH_SOCK"] = target
        self._bind(place, target)

    def _secret(self, mount: Mount, target: str) -> None:
        if mount.id not in self.secrets:
            if mount.required:
                raise ValueError(f"the secret {mount.id} is required; give it with --secret id={mount.id}")
            return
        data = self.secrets[mount.id]
        if mount.env:
            self.environment[mount.env] = data.decode(errors="surrogateescape")
        if mount.target or not mount.env:
            self._bind(self._file(data, mount.mode, mount.uid, mount.gid), target, readonly=True)
