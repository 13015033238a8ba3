"""Scenarios of trials on fakes, and what the trials read out of images."""

import io
import json
import tarfile
from contextlib import contextmanager

import msgspec
import pytest

from bench.errors import BenchFault
from bench.progress import progress
from bench.results import Target, Writer, load
from bench.scenarios.build import Build
from bench.session import Session
from bench.sizes import Sizes
from bench.target import Image, Prepared
from bench.trials import archives, stages, steps
from bench.trials.opened import TRIALS, opened
from bench.value import Value, fact
from tests.fakes.fake_target import FakeTarget
from tests.fakes.sample_run import sample_run

PREPARED = Prepared(Image("fake", "sha256:" + "0" * 64), None, "nothing")


class Fake:
    """A trial that gives what it is given, turn by turn; an exception is raised."""

    prepared = PREPARED

    def __init__(self, *turns):
        self.turns = list(turns)
        self.closed = False

    def take(self):
        turn = self.turns.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return turn


@pytest.fixture
def tried(tmp_path, quick):
    """Runs the build scenario on fake trials by target, some of which can't be prepared."""

    def run(trials, turns=2):
        known = tuple(Target(name=t, title=t, kind="container", available=True) for t in trials)
        header = msgspec.structs.replace(
            sample_run(), measurements=(), failures=(), warnings=(), finished=None, targets=known
        )

        @contextmanager
        def prepare(scenario, target):
            assert scenario == "build"
            if isinstance(trials[target], Exception):
                raise trials[target]
            yield trials[target]
            trials[target].closed = True

        with Writer(tmp_path / "run.json", header) as writer, progress(quiet=True) as shown:
            boxes = {name: FakeTarget(name) for name in trials}
            session = Session(boxes, Sizes("fast", 1, runs=turns), writer, shown, trials=prepare)
            Build().run(session)
        return load(tmp_path / "run.json")

    return run


def test_every_turn_is_recorded_and_the_trial_is_closed(tried):
    ours = Fake([fact("needs_root", holds=False)], [fact("needs_root", holds=True)])
    run = tried({"container": ours})
    (one,) = run.measurements
    assert (one.scenario, one.metric, one.unit) == ("build", "needs_root", "1")
    assert [sample.value for sample in one.samples] == [0.0, 1.0]
    assert one.boundary == "nothing"
    assert ours.closed


def test_a_turn_that_fails_is_a_failure_and_the_next_one_counts(tried):
    broken = BenchFault("no", hint="why", kind="failed")
    full = OSError(28, "No space left on device", "/x")
    run = tried({"container": Fake(broken, full, [fact("lab", holds=True, step="built")])}, turns=3)
    assert [(one.round, one.text) for one in run.failures] == [(0, "no"), (1, "/x: No space left on device")]
    assert [len(m.samples) for m in run.measurements] == [1]


def test_a_target_that_cant_be_prepared_is_left_out_and_the_other_measured(tried):
    missing = BenchFault("docker-registry is not installed", hint="install it", kind="host")
    run = tried({"container": missing, "docker": Fake([fact("needs_root", holds=True)])}, turns=1)
    assert [(one.target, one.text) for one in run.failures] == [("container", str(missing))]
    assert [m.target for m in run.measurements] == ["docker"]


@pytest.mark.usefixtures("quick")
def test_a_busy_neighbour_sets_a_time_aside_and_no_fact(tmp_path, monkeypatch):
    values = [Value("duration", "s", 1.0), fact("needs_root", holds=True)]
    header = msgspec.structs.replace(
        sample_run(), measurements=(), failures=(), warnings=(), finished=None,
        targets=(Target(name="container", title="", kind="container", available=True),),
    )  # fmt: skip

    @contextmanager
    def prepare(_scenario, _target):
        yield Fake(values)

    monkeypatch.setattr(Session, "_look_around", lambda self: self.around.update(load_other=0.9))
    with Writer(tmp_path / "run.json", header) as writer, progress(quiet=True) as shown:
        session = Session(
            {"container": FakeTarget("container")}, Sizes("fast", 1, runs=1), writer, shown, trials=prepare
        )
        Build().run(session)
    excluded = {m.metric: m.samples[0].excluded for m in load(tmp_path / "run.json").measurements}
    assert excluded == {"duration": "other-load", "needs_root": None}


def test_a_scenario_without_a_trial_for_a_target_is_a_usage_error():
    with pytest.raises(BenchFault, match="build can't be tried on vm"):
        opened(None, "build", "vm")


def test_every_trial_belongs_to_a_target_of_its_scenario():
    assert {target for scenario, target in TRIALS if scenario == "build"} == set(Build.targets)


# What is read out of images


def layer(**files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


LAYERS = ("a/layer.tar", "b/layer.tar")


@pytest.fixture
def saved(tmp_path):
    config = {
        "config": {"Env": ["A=in-the-config"]},
        "history": [{"created_by": "RUN echo in-the-history"}],
    }
    parts = {
        "manifest.json": json.dumps(
            [{"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar"]}]
        ).encode(),
        "c.json": json.dumps(config).encode(),
        LAYERS[0]: layer(one=b"below", two=b"in-a-deleted-file"),
        LAYERS[1]: archives.gzip.compress(layer(one=b"above")),
    }
    file = tmp_path / "saved.tar"
    with tarfile.open(file, "w") as tar:
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archives.read(file)


@pytest.mark.parametrize(
    ("secret", "places"),
    [
        (b"in-the-config", {"config"}),
        (b"in-the-history", {"history"}),
        (b"in-a-deleted-file", {"layer 0"}),
        (b"above", {"layer 1"}),
        (b"nowhere", set()),
    ],
)
def test_a_secret_is_found_wherever_it_is(saved, secret, places):
    assert saved.where(secret) == places


def test_a_file_is_the_topmost_layers(saved):
    assert (saved.file("one"), saved.file("two")) == ("above", "in-a-deleted-file")
    with pytest.raises(KeyError):
        saved.file("three")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("/bin/sh -c #(nop)  LABEL a=b", "LABEL"),
        ('/bin/sh -c #(nop)  CMD ["sh"]', "CMD"),
        ("/bin/sh -c echo hi", "RUN"),
        ("|1 TOKEN=x /bin/sh -c echo hi", "RUN"),
        ("COPY a /a", "COPY"),
        ("", ""),
    ],
)
def test_an_instruction_is_known_by_its_history_whoever_wrote_it(line, word):
    assert archives.instruction(line) == word


def test_layers_of_an_instruction_are_a_share():
    found = steps.by_instruction([("RUN", True), ("ENV", False), ("RUN", False)], of="x")
    assert {value.params["instruction"]: value.value for value in found} == {"RUN": 0.5, "ENV": 0.0}
    assert {value.params["of"] for value in found} == {"x"}


@pytest.mark.parametrize(
    ("one", "two", "share"),
    [
        ("1.00\n2.00\n", "2.00\n3.00\n", 0.0),
        ("1.00\n2.00\n", "5.00\n6.00\n", 0.0),
        ("1.00\n2.00\n", "1.00\n2.00\n", 1.0),
        ("1.00\n3.00\n", "1.50\n2.50\n", 1.0),
        ("1.00\n2.00\n", "1.75\n3.00\n", 0.25),
        ("1.00\n1.00\n", "1.00\n2.00\n", 0.0),
    ],
)
def test_the_overlap_is_the_share_of_the_shorter_stage(one, two, share):
    assert stages.overlap(one, two) == stages.overlap(two, one) == share
