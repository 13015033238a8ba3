import errno
import json
import os
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest

from bench.errors import BenchFault
from bench.results import (
    Caveat,
    Environment,
    Failure,
    Image,
    Measurement,
    Sample,
    Writer,
    atomic,
    load,
    new_id,
    timestamp,
)
from tests.fakes.sample_run import sample_run, startup_run


@pytest.fixture
def header():
    return msgspec.structs.replace(sample_run(), measurements=(), failures=(), warnings=(), finished=None)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def ready(*values, target="container", unit="s", **sample):
    samples = tuple(Sample(value=v, round=i, position=0, at=float(i), **sample) for i, v in enumerate(values))
    return Measurement(scenario="startup", target=target, metric="ready", unit=unit, samples=samples)


def test_what_was_written_is_what_is_read(tmp_path):
    run = sample_run(3)
    with Writer(tmp_path / "deep" / "run.json", run) as writer:
        pass
    read = load(writer.path)
    assert msgspec.structs.replace(read, finished=run.finished) == run


def test_the_file_is_complete_before_the_first_sample_and_after_each(tmp_path, header):
    path = tmp_path / "run.json"
    with Writer(path, header) as writer:
        assert load(path) == header
        for count in range(1, 4):
            writer.record(ready(0.001 * count))
            (measurement,) = load(path).measurements
            assert [sample.value for sample in measurement.samples] == [
                0.001 * n for n in range(1, count + 1)
            ]
            assert load(path).finished is None
    assert load(path).finished is not None
    assert names(tmp_path) == ["run.json"]


def test_a_run_that_broke_off_is_not_finished(tmp_path, header):
    path = tmp_path / "run.json"
    with suppress(KeyboardInterrupt), Writer(path, header) as writer:
        writer.record(ready(0.5))
        raise KeyboardInterrupt
    assert load(path).finished is None
    assert len(load(path).measurements) == 1


def test_samples_of_the_same_parameters_are_one_measurement(tmp_path, header):
    with Writer(tmp_path / "run.json", header) as writer:
        for n in (1, 2, 1):
            writer.record(msgspec.structs.replace(ready(float(n)), params={"n": n, "layout": "layers"}))
            writer.record(msgspec.structs.replace(ready(float(n)), params={"layout": "layers", "n": n}))
    assert [len(m.samples) for m in load(writer.path).measurements] == [4, 2]


@pytest.mark.parametrize(
    ("measurement", "problem"),
    [
        (ready(-1e-9), r"startup/container/ready: negative value -1e-09 s"),
        (ready(1.0, -1.0, unit="1/s"), "negative value"),
        (ready(float("nan")), "not finite"),
        (ready(float("inf")), "not finite"),
        (ready(1.0, sentinels={"steal": float("nan")}), "not finite"),
        (ready(1.0, target="vm"), "kind vm says no accelerator"),
        (ready(1.0, accelerator="kvm"), "kind container says kvm"),
        (ready(1.0, target="nobody"), "no target 'nobody'"),
    ],
)
def test_a_sample_that_breaks_a_rule_is_refused_and_changes_nothing(tmp_path, header, measurement, problem):
    with Writer(tmp_path / "run.json", header) as writer:
        writer.record(ready(1.0))
        before = writer.path.read_bytes()
        with pytest.raises(BenchFault, match=problem) as caught:
            writer.record(ready(2.0), measurement)
        assert caught.value.kind == "failed"
        assert writer.path.read_bytes() == before
        assert len(writer.run.measurements[0].samples) == 1


def test_bytes_may_be_negative_because_memory_may_be_freed_meanwhile(tmp_path, header):
    with Writer(tmp_path / "run.json", header) as writer:
        writer.record(ready(-4096.0, unit="B"))
    assert load(writer.path).measurements[0].samples[0].value == -4096


def test_the_meaning_of_a_measurement_may_not_change_midway(tmp_path, header):
    other = msgspec.structs.replace(ready(1.0), image=Image(reference="busybox", digest="sha256:1"))
    with Writer(tmp_path / "run.json", header) as writer:
        writer.record(ready(1.0))
        with pytest.raises(BenchFault, match="changed during the run"):
            writer.record(other)


def test_failures_and_warnings_are_added_and_a_warning_only_once(tmp_path, header):
    caveat = Caveat(code="busy", text="load", remedy="wait")
    with Writer(tmp_path / "run.json", header) as writer:
        writer.fail(Failure(scenario="startup", target="vm", round=1, text="no marker"))
        writer.warn(caveat, caveat)
        writer.warn(caveat)
        writer.describe(environment=Environment(cgroup="v2"), targets=header.targets[:1])
    run = load(writer.path)
    assert [f.text for f in run.failures] == ["no marker"]
    assert run.warnings == (caveat,)
    assert run.environment.cgroup == "v2"
    assert run.targets == header.targets[:1]


def test_a_full_disk_is_the_hosts_fault_and_the_earlier_content_stays(tmp_path, header, monkeypatch):
    writer = Writer(tmp_path / "run.json", header)
    writer.record(ready(1.0))
    before = writer.path.read_bytes()

    def full(path, data, *, durable):
        path.write_bytes(data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic, "_write", full)
    with pytest.raises(BenchFault, match="no space left to write") as caught:
        writer.conclude([])
    assert caught.value.kind == "host"
    assert writer.path.read_bytes() == before
    assert names(tmp_path) == ["run.json", "run.json.journal"]
    assert len(load(writer.path).measurements[0].samples) == 1


def test_a_finished_file_that_breaks_the_schema_is_told(tmp_path, header):
    nameless = msgspec.structs.replace(header, id="")
    with pytest.raises(BenchFault, match=r"run\.json breaks the schema at \$\.id"):
        Writer(tmp_path / "run.json", nameless).finish()


def test_only_the_end_of_a_run_waits_for_the_disk(tmp_path, header, monkeypatch):
    flushed = []
    monkeypatch.setattr(atomic.os, "fsync", flushed.append)
    with Writer(tmp_path / "run.json", header) as writer:
        writer.record(ready(1.0))
        assert flushed == []
    assert len(flushed) == 1


def test_a_resumed_run_takes_no_samples_of_another_image(tmp_path, header):
    """As when the host's busybox was updated in between: no defect of ours, and nothing to report."""
    before = msgspec.structs.replace(header, measurements=(ready(1.0),), resumed=(timestamp(),))
    other = Image(reference="busybox", digest="sha256:" + "1" * 64)
    fault = pytest.raises(BenchFault, match="another one than before the run was cut off")
    with fault as caught, Writer(tmp_path / "run.json", before) as writer:
        writer.record(msgspec.structs.replace(ready(2.0), image=other))
    assert "start a new run" in caught.value.hint
    assert [s.value for m in load(writer.path).measurements for s in m.samples] == [1.0]


def test_targets_that_were_measured_must_stay(tmp_path, header):
    with Writer(tmp_path / "run.json", header) as writer:
        writer.record(ready(1.0))
        with pytest.raises(BenchFault, match="no target 'container'"):
            writer.describe(targets=header.targets[:1])


def test_a_device_is_not_replaced(header, tmp_path):
    with pytest.raises(BenchFault, match="not a regular file") as caught:
        Writer(tmp_path, header).record()
    assert caught.value.kind == "usage"


def test_a_path_that_can_not_be_written(header, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BenchFault, match="cannot write") as caught:
        Writer(tmp_path / "file" / "run.json", header).record()
    assert caught.value.kind == "host"


def test_a_detour_over_a_folder_that_is_not_there_makes_none(header, tmp_path):
    with pytest.raises(BenchFault, match="not a regular file"):
        Writer(tmp_path / "absent/../../../../../../../dev/full", header).record()
    assert not (tmp_path / "absent").exists()


def test_a_link_is_followed_not_replaced(header, tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    with Writer(tmp_path / "link.json", header):
        pass
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["schema"] == "tare/results/1"


def test_identifiers_sort_by_time():
    early, late = (datetime(2026, 11, 23, hour, 15, tzinfo=UTC) for hour in (9, 20))
    moment = late.replace(microsecond=42_900)
    assert new_id(moment, suffix="ab12cd") == "20261123T201500Z-042ab12cd"
    assert new_id(early) < new_id(late)
    assert new_id(late, suffix="ffffff") < new_id(moment, suffix="000000"), "two of one second"
    assert timestamp(late) == "2026-11-23T20:15:00.000Z"


def test_the_fake_is_the_same_for_the_same_seed():
    assert sample_run(5).measurements == sample_run(5).measurements != sample_run(6).measurements
    assert {m.scenario for m in startup_run().measurements} == {"startup"}
