#!/bin/sh
# Inside the guest: put the tree where tests may write, and both commands where their users have them.
set -e
# The tests come while systemd still clears /tmp; "degraded" is an exit code other than 0 and good enough.
systemctl is-system-running --wait >/dev/null || true
mkdir -p /work
cp -a /tests/tare/. /work/
# $1 name, $2 module, $3 options of the interpreter: tare-oci gets by with the standard library.
command() {
	cat >"/usr/bin/$1" <<END
#!/usr/bin/python3 $3
import sys
sys.path[:0] = ["/work", "/tests/wheels"]
from $2 import main
sys.exit(main())
END
	chmod 755 "/usr/bin/$1"
}
command tare-oci runtime.oci.main -IS
command tare bench.cli.main -I
