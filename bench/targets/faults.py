"""The one seam where the drivers' errors become the harness's."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.errors import BenchFault
from runtime.errors import RuntimeFault
from vmdriver.errors import MachineFault


@contextmanager
def translated() -> Iterator[None]:
    """Raise the faults of runtime and vmdriver as a BenchFault with the same words, hint and kind."""
    try:
        yield
    except (RuntimeFault, MachineFault) as fault:
        raise BenchFault(str(fault), hint=fault.hint, kind=fault.kind) from fault
