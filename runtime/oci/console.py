"""The container's terminal: made in the container's own devpts, its master sent to whoever wants it (pty(7)).

No path decides: the multiplexer is opened without following links and must be one, the terminal comes from
it by TIOCGPTPEER, and /dev/console becomes it by descriptors. So an image, or a process racing with a rename,
can make none of these another file (the weaknesses CVE-2025-52565 and its like).
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
import termios

from runtime.errors import RuntimeFault
from runtime.linux import syscalls

_TIOCGPTPEER, _TIOCSPTLCK = 0x5441, 0x40045431
_DEVPTS_MAGIC = 0x1CD1
_PTMX = os.makedev(5, 2)
_OPEN = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NOFOLLOW
_NAME, _FD = b"/dev/ptmx", 4  # bytes of a descriptor in a message


def connect(path: str) -> socket.socket:
    """In the parent: the connection to --console-socket, over which the master will go."""
    connection, fd = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), -1
    try:
        # An address holds 107 bytes, and the directories of higher-level tools are longer.
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        connection.connect(f"/proc/self/fd/{fd}")
    except OSError as err:
        connection.close()
        hint = "it has to be a UNIX stream socket on which somebody listens"
        text = f"cannot connect to the console socket {path}: {err.strerror}"
        raise RuntimeFault(text, kind="usage", hint=hint) from err
    finally:
        if fd >= 0:
            os.close(fd)
    return connection


def make(size: tuple[int, int] | None, owner: int) -> tuple[int, int]:
    """In the child, in the new root: (master, terminal) of a new pair, for the user `owner`.

    `size` is the height and width of `process.consoleSize`. OSError if /dev/pts is no devpts of its own.
    """
    master = os.open("/dev/pts/ptmx", _OPEN)
    if not _is_multiplexer(master):
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), "/dev/pts/ptmx")
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    terminal = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    if size:
        resize(master, *size)
    # The group stays: that of devpts' option gid, usually tty, so that write(1) and its like may.
    os.fchown(terminal, owner, -1)
    return master, terminal


def _is_multiplexer(fd: int) -> bool:
    status = os.fstat(fd)
    return (
        stat.S_ISCHR(status.st_mode)
        and status.st_rdev == _PTMX
        and syscalls.filesystem_magic(fd) == _DEVPTS_MAGIC
    )


def bind(terminal: int) -> None:
    """In the child: make /dev/console this terminal (config.md, Linux Process: if `terminal` is true)."""
    place = os.open("/dev/console", os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                    | os.O_NOCTTY, 0o666)  # fmt: skip
    mount = syscalls.clone_mount(terminal, recursive=False)
    try:
        syscalls.move_mount_to(mount, place)
    finally:
        os.close(mount)
        os.close(place)


def adopt(terminal: int) -> None:
    """In the child, leader of a session: make it the controlling terminal and the standard streams."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for target in range(3):
        os.dup2(terminal, target)
    if terminal > 2:  # noqa: PLR2004 - the standard streams
        os.close(terminal)


def send(connection: socket.socket, master: int) -> None:
    """In the child: pass the master on, in the one message that runc sends, and let go of it."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", master))]
    connection.sendmsg([_NAME], rights)
    connection.close()
    os.close(master)


def receive(connection: socket.socket) -> int:
    """Return the master that `send` passed; RuntimeFault if the other side ended before."""
    room = socket.CMSG_SPACE(_FD)
    _text, ancillary, _flags, _address = connection.recvmsg(4096, room, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            return int.from_bytes(data[:_FD], "little")
    raise RuntimeFault("the container sent no terminal")


def resize(fd: int, height: int, width: int) -> None:
    """Set a terminal's size in characters; the kernel tells its foreground processes by SIGWINCH."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))


def size_of(fd: int) -> tuple[int, int]:
    """Return a terminal's height and width in characters."""
    height, width, _x, _y = struct.unpack("4H", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    return height, width
