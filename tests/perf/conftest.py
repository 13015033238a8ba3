"""Boxes for the hot paths come from the tests' own data root."""

import pytest


@pytest.fixture(scope="session")
def tare_root(pytestconfig, data_root):
    return pytestconfig.getoption("tare_root") or data_root
