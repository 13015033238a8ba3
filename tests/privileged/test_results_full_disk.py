import subprocess

import msgspec
import pytest

from bench.errors import BenchFault
from bench.results import Writer, load
from tests.fakes.sample_run import sample_run

pytestmark = pytest.mark.privileged


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tare-test", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_file_system_keeps_what_was_written(small):
    run = sample_run()
    writer = Writer(small / "run.json", msgspec.structs.replace(run, measurements=(), finished=None))
    with pytest.raises(BenchFault, match="no space left to write") as caught:
        for written, measurement in enumerate(run.measurements):  # noqa: B007
            writer.record(measurement)
    assert caught.value.kind == "host"
    assert len(load(writer.path).measurements) == written > 0
    assert [path.name for path in small.iterdir()] == ["run.json"]
