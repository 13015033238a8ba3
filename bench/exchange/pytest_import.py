"""The JSON of pytest-benchmark as a run of Tare."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import field

from bench.errors import BenchFault
from bench.exchange.pytest_export import MARK
from bench.results import (
    Caveat,
    Cpu,
    Environment,
    Kernel,
    Measurement,
    Run,
    Sample,
    Target,
    decode,
    new_id,
    timestamp,
)
from bench.results.model import Accelerator, Parameter, TargetKind  # noqa: TC001 - msgspec reads them

FOREIGN = "pytest"
ROUNDS = Caveat(
    code="rounds",
    text="imported from pytest-benchmark: rounds within one process, which depend on each other",
    remedy="compare several runs of the test, or measure fresh starts with the fixture `target`",
)


class Stats(msgspec.Struct):
    """The figures of a benchmark; `data` are seconds an iteration, one for each round."""

    data: list[float] | None = None


class Origin(msgspec.Struct):
    """What Tare wrote beside a benchmark that was measured by it."""

    scenario: str
    target: str
    kind: TargetKind
    metric: str
    params: dict[str, Parameter] = {}
    accelerator: Accelerator | None = None
    boundary: str = ""


class Benchmark(msgspec.Struct):
    """One benchmark."""

    fullname: str
    stats: Stats
    extra_info: dict[str, Any] = field(default_factory=dict)


class Document(msgspec.Struct):
    """The whole file."""

    benchmarks: list[Benchmark]
    machine_info: dict[str, Any]
    datetime: str
    version: str
    commit_info: dict[str, Any] = field(default_factory=dict)


def convert(data: bytes, *, origin: str) -> Run:
    """Return the run in the bytes of a file of pytest-benchmark; the same bytes give the same run.

    Every round is a sample. Raises BenchFault of kind `corrupt` for what is no such file, and `usage` for one
    without the data of its rounds.
    """
    try:
        document = msgspec.json.decode(data, type=Document)
    except msgspec.MsgspecError as err:
        raise _corrupt(f"{origin} is no file of pytest-benchmark: {err}") from err
    moment = _moment(document.datetime, origin)
    origins = [_origin(benchmark, origin) for benchmark in document.benchmarks]
    run = Run(
        id=new_id(moment, suffix=hashlib.sha256(data).hexdigest()[:6]),
        started=timestamp(moment),
        finished=timestamp(moment),
        command=("pytest", "--benchmark-json"),
        seed=0,
        mode="default",
        order="blocked",
        environment=_environment(document),
        targets=tuple({o.target: Target(name=o.target, title="imported from pytest-benchmark", kind=o.kind,
                                        available=True) for o in origins}.values()),
        measurements=tuple(_measurement(b, o, origin)
                           for b, o in zip(document.benchmarks, origins, strict=True)),
        warnings=(ROUNDS,),
    )  # fmt: skip
    return decode(msgspec.json.encode(run), origin=origin)  # so that it keeps the rules of every result file


def _origin(benchmark: Benchmark, origin: str) -> Origin:
    own = benchmark.extra_info.get(MARK)
    if not isinstance(own, dict) or "scenario" not in own:
        return Origin(FOREIGN, FOREIGN, "native", "time", {"test": benchmark.fullname})
    try:
        return msgspec.convert(own, Origin)
    except msgspec.ValidationError as err:
        raise _corrupt(f"{origin}: extra_info.{MARK} of {benchmark.fullname}: {err}") from err


def _measurement(benchmark: Benchmark, o: Origin, origin: str) -> Measurement:
    data = benchmark.stats.data
    if not data:
        raise BenchFault(
            f"{origin} holds no data of the rounds of {benchmark.fullname}",
            hint="write it with --benchmark-json FILE, or with --benchmark-save-data",
            kind="usage",
        )
    begins = [0.0, *accumulate(abs(value) for value in data)]
    samples = tuple(
        Sample(value=value, round=index, position=0, at=begins[index], accelerator=o.accelerator)
        for index, value in enumerate(data)
    )
    return Measurement(
        scenario=o.scenario,
        target=o.target,
        metric=o.metric,
        unit="s",
        params=o.params,
        boundary=o.boundary or "the call, in the process of the test",
        samples=samples,
    )


def _environment(document: Document) -> Environment:
    info = document.machine_info
    cpu = info.get("cpu")
    cpu = cpu if isinstance(cpu, dict) else {}
    versions = {
        "python": info.get("python_version"),
        "pytest-benchmark": document.version,
        "commit": document.commit_info.get("id"),
    }
    count = cpu.get("count")
    return Environment(
        kernel=Kernel(release=_text(info.get("release"))),
        cpu=Cpu(
            model=_text(cpu.get("brand_raw")),
            architecture=_text(info.get("machine")),
            count=count if isinstance(count, int) and count > 0 else None,
        ),
        versions={name: text for name, value in versions.items() if (text := _text(value))},
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _moment(text: str, origin: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise _corrupt(f"{origin}: {text!r} is no time") from err
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _corrupt(text: str) -> BenchFault:
    return BenchFault(
        text, hint="pytest --benchmark-json FILE writes one; `tare run --json FILE` ours", kind="corrupt"
    )
