"""Plain tables, where the commands look for them."""

from bench.columns import table

__all__ = ["table"]
