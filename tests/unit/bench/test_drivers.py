"""What the targets share is opened once, and what fails to open is not tried again for every target."""

import pytest

from bench.targets import drivers
from bench.targets.drivers import Drivers
from vmdriver.errors import MachineFault


def test_a_failed_download_of_the_kernel_is_not_repeated(tmp_path, monkeypatch):
    asked = []

    def obtain(data, *, progress):
        asked.append(data)
        raise MachineFault("no network", hint="connect")

    monkeypatch.setattr(drivers.kernel, "obtain", obtain)
    with Drivers(tmp_path, tmp_path / "run", None, print) as opened:
        for _ in range(3):
            with pytest.raises(MachineFault, match="no network"):
                _ = opened.kernel
    assert asked == [tmp_path]
