"""Registries: pull and push images over HTTP (OCI distribution-spec 1.1), trusting nothing that they send."""

from runtime.registry.access import Access, Account
from runtime.registry.pull import pull
from runtime.registry.push import push
from runtime.registry.watch import Watch

__all__ = ["Access", "Account", "Watch", "pull", "push"]
