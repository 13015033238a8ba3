"""What goes to --log and to standard error: a line an event, in the two forms that runc has."""

from __future__ import annotations

import os
import sys
import time

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments


class Log:
    """Where messages go; containerd's shim reads the file's JSON lines to learn why a verb failed."""

    def __init__(self, path: str = "", form: str = "text", *, debug: bool = False) -> None:
        self.path, self.form, self.debugging = path, form, debug

    @classmethod
    def of(cls, arguments: Arguments) -> Log:
        """Make the log that the command line asks for."""
        form = arguments.text("log-format", "text")
        if form not in {"text", "json"}:
            raise RuntimeFault(f"unknown log format {form}", kind="usage", hint="use text or json")
        log = cls(arguments.text("log"), form, debug=arguments.flag("debug"))
        if log.path:
            os.close(log._open())  # before anything is done that there is nowhere to tell of
        return log

    def error(self, message: str, hint: str = "") -> None:
        """Say why the verb failed, in the file if there is one and always on standard error."""
        if self.path:
            self._write("error", message)
        elif self.form == "json":
            print(self._line("error", message), file=sys.stderr)  # noqa: T201
            return
        print(f"tare-oci: {message}", file=sys.stderr)  # noqa: T201
        if hint:
            print(f"  hint: {hint}", file=sys.stderr)  # noqa: T201

    def remark(self, message: str) -> None:
        """Say what was odd but does not stop the verb: in the file, or without one on standard error."""
        if self.path:
            self._write("warning", message)
        else:
            print(f"tare-oci: warning: {message}", file=sys.stderr)  # noqa: T201

    def debug(self, message: str) -> None:
        """Say what is being done, with --debug."""
        if self.debugging and self.path:
            self._write("debug", message)
        elif self.debugging:
            print(f"tare-oci: debug: {message}", file=sys.stderr)  # noqa: T201

    def _line(self, level: str, message: str) -> str:
        import json  # noqa: PLC0415 - a start that logs nothing does without

        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self.form == "json":
            return json.dumps({"level": level, "msg": message, "time": now})
        return f'time="{now}" level={level} msg={json.dumps(message, ensure_ascii=False)}'

    def _write(self, level: str, message: str) -> None:
        line = self._line(level, message)
        try:
            fd = self._open()
        except RuntimeFault as err:
            print(f"tare-oci: {err}", file=sys.stderr)  # noqa: T201
            return
        try:
            os.write(fd, f"{line}\n".encode())
        finally:
            os.close(fd)

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as err:
            raise RuntimeFault.from_os(err, f"write the log {self.path}") from err
