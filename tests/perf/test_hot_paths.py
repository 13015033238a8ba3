"""What must stay fast: between two samples, in a start, in a build, and at the end of a run.

The normal run goes through each once (--benchmark-disable); `nox -s bench` measures them.
"""

import io
import os
from pathlib import Path

import msgspec
import pytest

from bench.compare.report import compare_runs
from bench.history.index import Index
from bench.results import Writer
from runtime.builder.dockerfile import parse
from runtime.image.layer.pack import pack
from runtime.image.layer.unpack import unpack
from tests.fakes.plain_run import draws, plain_run, store
from tests.fakes.sample_run import sample_run

READY = ("startup", "native", "ready")
DOCKERFILES = Path(__file__).parents[2] / "examples"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_start(benchmark, target):
    target.measure(benchmark, rounds=30)


def test_record_a_sample(benchmark, tmp_path):
    """Between two samples a line is added to the journal of the file: here one of 1,000 samples."""
    run = plain_run({READY: draws(1, 0.01, n=1000)})
    one = msgspec.structs.replace(run.measurements[0], samples=run.measurements[0].samples[:1])
    writer = Writer(tmp_path / "run.json", run)
    with writer:
        benchmark.pedantic(writer.record, (one,), rounds=50)  # so few that the file stays as it is


def test_compare_two_runs(benchmark):
    base, new = sample_run(1), sample_run(2)
    report = benchmark(compare_runs, base, new)
    assert len(report.rows) > 100


def test_list_stored_runs(benchmark, tmp_path):
    for number in range(1, 29):
        store(tmp_path, plain_run({READY: draws(number, 0.01)}, number=number))
    Index(tmp_path).entries()
    assert len(benchmark(Index(tmp_path).entries)) == 28


def test_parse_a_dockerfile(benchmark):
    (path, *_) = sorted(DOCKERFILES.rglob("Dockerfile*"))
    text = path.read_bytes()
    assert benchmark(parse, text)


def test_unpack_a_layer(benchmark, tmp_path):
    tree = tmp_path / "tree"
    for number in range(200):
        place = tree / f"d{number % 10}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"f{number}").write_bytes(bytes(number) * 50)
    packed = io.BytesIO()
    pack(tree, packed)
    numbers = iter(range(1 << 20))

    def fresh():
        root = tmp_path / f"root{next(numbers)}"
        root.mkdir()
        return (io.BytesIO(packed.getvalue()), root), {}

    benchmark.pedantic(unpack, setup=fresh, rounds=10)
    assert (tmp_path / "root0/d9/f199").read_bytes() == bytes(199) * 50
