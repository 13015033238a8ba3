"""The result file as frozen values: one class for every object of `schema.json`.

Units are SI base units: seconds, bytes, 1/s. Field order is the order in the file.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, field

SCHEMA: Final = "tare/results/1"

Accelerator = Literal["kvm", "tcg", "kvm-nested", "uml"]
TargetKind = Literal["native", "container", "vm"]
Unit = Literal["s", "B", "1/s", "1", "count"]
Mode = Literal["fast", "default", "rigorous"]
Order = Literal["interleaved", "blocked"]
Channel = Literal["socket pair", "terminal", "serial", "virtio-serial", "named pipes"]
Parameter = str | bool | int | float
Count = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(min_length=1)]
Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")]  # RFC 3339


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all objects in the file: immutable, with no unknown fields."""


class Sample(Record, frozen=True, kw_only=True):
    """One measured value of one run.

    `value` is in the unit of its measurement; `at` is seconds since the start of the whole run on the
    monotonic clock. `excluded` holds the code of the exclusion rule that the sample met, else None.
    `sentinels` are the disturbances around the sample (see `bench.sentinels`).
    """

    value: float
    round: Count
    position: Count
    at: Annotated[float, Meta(ge=0)]
    warmup: bool = False
    accelerator: Accelerator | None = None
    sentinels: dict[str, float] = field(default_factory=dict)
    excluded: str | None = None


class Image(Record, frozen=True, kw_only=True):
    """The image that ran: what the user asked for and the digest that it meant."""

    reference: Name
    digest: str


class Measurement(Record, frozen=True, kw_only=True):
    """All samples of one metric of one target under one set of parameters."""

    scenario: Name
    target: Name
    metric: Name
    unit: Unit
    params: dict[str, Parameter] = field(default_factory=dict)
    image: Image | None = None
    boundary: str = ""
    samples: tuple[Sample, ...] = ()


class Target(Record, frozen=True, kw_only=True):
    """A box that the run knew, and the reason when it could not be used."""

    name: Name
    title: str
    kind: TargetKind
    available: bool
    reason: str = ""
    version: str = ""


class ExclusionRule(Record, frozen=True, kw_only=True):
    """A reason to set a sample aside, written down before the first sample."""

    code: Name
    text: str
    threshold: float


class Calibration(Record, frozen=True, kw_only=True):
    """What measuring costs, in seconds; recorded beside the samples and never subtracted from them.

    "null": from the request to the first reply of a box that is none; "bare process": the same for the agent
    as a child of the harness; "echo": from a request to its reply on a channel, in an instance of `target`
    that is ready (no target: the agent is a child of the harness).
    """

    kind: Literal["null", "bare process", "echo"]
    channel: Channel
    target: str = ""
    samples: tuple[Annotated[float, Meta(ge=0)], ...]


class Failure(Record, frozen=True, kw_only=True):
    """A preparation, a start or a measurement that did not end well; it produced no sample.

    `hint` says what to do about it. What could not be prepared has round 0 and stands for all its rounds.
    """

    scenario: str
    target: str
    round: Count
    text: str
    hint: str = ""


class Caveat(Record, frozen=True, kw_only=True):
    """A fact that weakens the numbers, with what to do about it."""

    code: Name
    text: str
    remedy: str = ""


class Proof(Record, frozen=True, kw_only=True):
    """How the accelerator of one VM target was proven: the guest that booted, in `seconds`."""

    name: Accelerator
    proof: str
    seconds: Annotated[float, Meta(ge=0)] | None = None


class Kernel(Record, frozen=True, kw_only=True):
    """The host's kernel; `mitigations` maps a CPU vulnerability to what the kernel does about it."""

    release: str | None = None
    version: str | None = None
    clocksource: str | None = None
    transparent_hugepages: str | None = None
    ksm: str | None = None
    mitigations: dict[str, str] = field(default_factory=dict)


class Cpu(Record, frozen=True, kw_only=True):
    """The host's processors; `count` is what this process may run on; frequencies in Hz."""

    model: str | None = None
    architecture: str | None = None
    count: Count | None = None
    governor: str | None = None
    frequency_max: float | None = None


class Memory(Record, frozen=True, kw_only=True):
    """Physical memory and swap, in bytes."""

    total: Count | None = None
    available: Count | None = None
    swap_total: Count | None = None
    swap_used: Count | None = None


class Storage(Record, frozen=True, kw_only=True):
    """The file system under Tare's data root; sizes in bytes."""

    filesystem: str | None = None
    options: str | None = None
    total: Count | None = None
    free: Count | None = None


class Environment(Record, frozen=True, kw_only=True):
    """All that can move a number and is not measured: None means that the host doesn't tell.

    `virtualization` names the hypervisor under the host itself ("none" on bare metal). `accelerators`
    maps a VM target to its proof. `unavailable` lists the sources that this host doesn't have.
    """

    hostname: str | None = None
    distribution: str | None = None
    virtualization: str | None = None
    cgroup: Literal["v1", "v2", "hybrid", "none"] | None = None
    kernel: Kernel = field(default_factory=Kernel)
    cpu: Cpu = field(default_factory=Cpu)
    memory: Memory = field(default_factory=Memory)
    storage: Storage = field(default_factory=Storage)
    load: tuple[float, ...] = ()
    accelerators: dict[str, Proof] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    unavailable: tuple[str, ...] = ()


class Run(Record, frozen=True, kw_only=True):
    """One result file. `finished` stays None until the run ended in order.

    `resumed` are the moments at which a run that was cut off was taken up again, and `calibrations` what the
    harness itself and its channels cost.
    """

    schema: Literal["tare/results/1"] = SCHEMA
    id: Name
    started: Time
    finished: Time | None = None
    resumed: tuple[Time, ...] = ()
    command: tuple[str, ...]
    seed: int
    mode: Mode
    order: Order
    environment: Environment = field(default_factory=Environment)
    targets: tuple[Target, ...] = ()
    exclusion_rules: tuple[ExclusionRule, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    failures: tuple[Failure, ...] = ()
    verdicts: tuple[dict[str, Any], ...] = ()
    warnings: tuple[Caveat, ...] = ()
