"""Variables in words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.builder.dockerfile.expansion import ExpansionError, Lexer

VARIABLES = {"A": "abcabc", "E": "", "F": "a/b.tar.gz", "W": "x y"}


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("$A-${A}x", "abcabc-abcabcx"),
        ("$U|${U}", "|"),
        ("${U:-d}${E:-d}${E-d}${U-d}", "ddd"),
        ("${A:+d}${E:+d}${E+d}${U+d}", "dd"),
        ("${U:-${A:-x}}", "abcabc"),
        ("${F#*/}|${F##*.}|${F%.*}|${F%%.*}", "b.tar.gz|gz|a/b.tar|a/b"),
        ("${A/b/X}${A//b/X}", "aXcabcaXcaXc"),
        ("${F//\\//_}", "a_b.tar.gz"),
        ("'$A'\"$A\"\\$A", "$Aabcabc$A"),
        ('"a\\"b\\n"', 'a"b\\n'),
        ("$", "$"),
        ("$1x$?", "x"),
        ("${A:?}", "abcabc"),
    ],
)
def test_words(word, result):
    assert Lexer().word(word, VARIABLES) == result


def test_the_escape_character_can_be_another():
    assert Lexer("`").word("\\`$A`", VARIABLES) == "\\$A"


def test_words_are_cut_after_expansion_unless_quoted():
    assert Lexer().words("$W \"$W\" '' $U", VARIABLES) == ["x", "y", "x y", ""]


@pytest.mark.parametrize(
    "word", ["${", "${}", "${A", "'x", '"x', "${A^x}", "${U:?}", "${U?gone}", "${A#\\q}"]
)
def test_what_cannot_be_expanded(word):
    with pytest.raises(ExpansionError):
        Lexer().word(word, VARIABLES)


def test_depth_is_bounded():
    with pytest.raises(ExpansionError, match="inside one another"):
        Lexer().word("${U:-" * 5000 + "}" * 5000, {})


LETTERS = st.text("ab./", max_size=8)
PATTERN = st.text("ab*?", min_size=1, max_size=5)


@given(LETTERS, PATTERN, st.sampled_from(["#", "##", "%", "%%"]))
def test_cutting_agrees_with_regular_expressions(value, pattern, operator):
    expression = re.compile("".join({"*": ".*", "?": "."}.get(letter, letter) for letter in pattern))
    prefix = operator[0] == "#"
    halves = [(value[:at], value[at:]) for at in range(len(value) + 1)]
    rests = [half[prefix] for half in halves if expression.fullmatch(half[not prefix])]
    expected = (min if len(operator) == 2 else max)(rests, key=len, default=value)
    assert Lexer().word(f"${{V{operator}{pattern}}}", {"V": value}) == expected


@given(LETTERS, PATTERN, st.booleans())
def test_replacing_agrees_with_regular_expressions(value, pattern, everywhere):
    expression = "".join({"*": ".*", "?": ".", ".": r"\."}.get(letter, letter) for letter in pattern)
    found = re.search(expression, value)
    first = value[: found.start()] + "R" + value[found.end() :] if found else value
    operator = "//" if everywhere else "/"
    # Python counts an empty match next to another one, Go doesn't; only then the two may differ.
    expected = re.sub(expression, "R", value) if everywhere else first
    result = Lexer().word(f"${{V{operator}{pattern}/R}}", {"V": value})
    assert result == expected or (everywhere and re.search(expression, "") and "RR" in expected)


@given(st.text(st.sampled_from(list("$\\{}'\":-+?#%/AU x")), max_size=30))
def test_any_word_is_expanded_or_refused(word):
    try:
        result = Lexer().word(word, VARIABLES)
    except ExpansionError:
        return
    if not set(word) & set("$'\"\\"):
        assert result == word


@given(st.text(max_size=20))
def test_single_quotes_keep_everything(text):
    text = text.replace("'", "")
    assert Lexer().words(f"'{text}'", {}) == [text]
