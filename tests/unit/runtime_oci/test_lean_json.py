"""JSON through the C half alone says what the json module says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.process import lean_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_both_directions_agree_with_json(value):
    text = json.dumps(value)
    assert lean_json.dumps(value) == text
    assert lean_json.loads(f" {text}\n") == value == lean_json.loads(text.encode())


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", "1 2", '{"a" 1}', '"\n"', "nul", "{'a': 1}"])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"value|character|delimiter|double quotes"):
        lean_json.loads(text)
    script = "import sys; sys.path.insert(0, sys.argv[2])\nfrom runtime.process import lean_json\n"
    script += "try:\n lean_json.loads(sys.argv[1])\nexcept ValueError:\n sys.exit(7)\n"
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-I", "-S", "-c", script, text, root], check=False).returncode == 7


def test_what_json_cannot_hold_is_a_type_error():
    with pytest.raises(TypeError):
        lean_json.dumps({"a": object()})


def test_regular_expressions_stay_away():
    script = "import sys; sys.path.insert(0, sys.argv[1])\nfrom runtime.process import lean_json\n"
    script += "assert lean_json.loads(lean_json.dumps([1])) == [1]\nsys.exit('re' in sys.modules)\n"
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-I", "-S", "-c", script, root], check=False).returncode == 0
