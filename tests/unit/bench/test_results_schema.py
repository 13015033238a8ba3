import json

import msgspec
import pytest
from jsonschema import Draft202012Validator

from bench.errors import BenchFault
from bench.results import Run, Sample, decode, load, model, schema, validate
from tests.fakes.sample_run import sample_run

STRUCTS = {
    "sample": model.Sample,
    "image": model.Image,
    "measurement": model.Measurement,
    "target": model.Target,
    "exclusion_rule": model.ExclusionRule,
    "failure": model.Failure,
    "warning": model.Caveat,
    "proof": model.Proof,
    "environment": model.Environment,
    "kernel": model.Kernel,
    "cpu": model.Cpu,
    "memory": model.Memory,
    "storage": model.Storage,
}


@pytest.fixture
def document():
    return json.loads(msgspec.json.encode(sample_run(rounds=2)))


def place(document, *path):
    for key in path:
        document = document[key]
    return document


def test_the_schema_is_itself_valid():
    Draft202012Validator.check_schema(schema())


def test_schema_and_structs_name_the_same_fields():
    definitions = schema()["$defs"] | {"run": schema()}
    for name, struct in (STRUCTS | {"run": Run}).items():
        fields = {field.encode_name for field in msgspec.structs.fields(struct)}
        assert definitions[name]["properties"].keys() == fields, name
        assert set(definitions[name]["required"]) == fields, name
        assert definitions[name]["additionalProperties"] is False


def test_schema_and_structs_allow_the_same_words():
    definitions = schema()["$defs"]
    assert definitions["accelerator"]["enum"] == list(model.Accelerator.__args__)
    assert definitions["measurement"]["properties"]["unit"]["enum"] == list(model.Unit.__args__)
    assert definitions["target"]["properties"]["kind"]["enum"] == list(model.TargetKind.__args__)
    assert schema()["properties"]["mode"]["enum"] == list(model.Mode.__args__)
    assert schema()["properties"]["order"]["enum"] == list(model.Order.__args__)


def test_a_run_validates_as_struct_and_as_json(document):
    validate(sample_run())
    validate(document)
    validate(msgspec.structs.replace(sample_run(), measurements=(), finished=None))


BROKEN = [
    (("seed",), "one"),
    (("started",), "yesterday"),
    (("finished",), 5),
    (("mode",), "slow"),
    (("schema",), "tare/results/2"),
    (("surplus",), 1),
    (("environment", "cgroup"), "v3"),
    (("environment", "memory", "total"), -1),
    (("environment", "accelerators", "vm", "name"), "xen"),
    (("targets", 0, "kind"), "pod"),
    (("measurements", 0, "unit"), "ms"),
    (("measurements", 0, "params"), {"n": [1]}),
    (("measurements", 0, "samples", 1, "value"), "fast"),
    (("measurements", 0, "samples", 1, "value"), -0.1),
    (("measurements", 0, "samples", 1, "round"), -1),
    (("measurements", 0, "samples", 1, "at"), -1.0),
    (("measurements", 0, "samples", 1, "colour"), "red"),
    (("warnings", 0, "code"), ""),
]


@pytest.mark.parametrize(("path", "value"), BROKEN, ids=str)
def test_the_schema_refuses(document, path, value):
    place(document, *path[:-1])[path[-1]] = value
    with pytest.raises(BenchFault, match=r"breaks the schema at \$") as caught:
        validate(document)
    assert caught.value.kind == "corrupt"


@pytest.mark.parametrize(("path", "value"), BROKEN, ids=str)
def test_load_refuses_it_too(document, tmp_path, path, value):
    place(document, *path[:-1])[path[-1]] = value
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    with pytest.raises(BenchFault, match=str(file)) as caught:
        load(file)
    assert caught.value.kind == "corrupt"


@pytest.mark.parametrize("name", ["id", "measurements", "finished"])
def test_a_field_that_is_missing(document, name):
    del document[name]
    with pytest.raises(BenchFault, match=f"'{name}' is a required property"):
        validate(document)


def test_the_place_of_the_fault_is_named(document):
    document["measurements"][4]["samples"][0]["round"] = "first"
    with pytest.raises(BenchFault, match=r"\$\.measurements\[4\]\.samples\[0\]\.round"):
        validate(document, origin="x.json")
    with pytest.raises(
        BenchFault, match=r"x\.json breaks the schema .*\$\.measurements\[4\]\.samples\[0\]\.round"
    ):
        decode(json.dumps(document).encode(), origin="x.json")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is not JSON"),
        (b'{"schema": "tare/results/1", "id"', "is not JSON"),
        (b"[1]", "no result file of Tare"),
        (b'{"benchmarks": []}', "no result file of Tare"),
        (b'{"schema": "tare/results/9"}', "reads 'tare/results/1'"),
        (b'{"schema": "tare/results/1"}', "missing required field"),
        (b"\xff\xfe", "is not JSON"),
    ],
)
def test_files_that_are_none(tmp_path, text, problem):
    file = tmp_path / "run.json"
    file.write_bytes(text)
    with pytest.raises(BenchFault, match=problem) as caught:
        load(file)
    assert caught.value.kind == "corrupt"
    assert caught.value.hint


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BenchFault, match="no result file") as caught:
        load(tmp_path / "none.json")
    assert caught.value.kind == "missing"
    with pytest.raises(BenchFault, match="cannot read"):
        load(tmp_path)


def test_a_vm_sample_without_accelerator_is_refused_when_read(document):
    vm = next(m for m in document["measurements"] if m["target"] == "vm")
    vm["samples"][0]["accelerator"] = None
    with pytest.raises(BenchFault, match="no accelerator"):
        decode(json.dumps(document).encode(), origin="run.json")


def test_values_are_immutable():
    with pytest.raises(AttributeError):
        Sample(value=1.0, round=0, position=0, at=0.0).value = 2.0
