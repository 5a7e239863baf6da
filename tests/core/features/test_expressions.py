import math

import pytest

from core.errors import InvalidInputError
from core.features import expressions

TYPES = {"a": "number", "b": "number", "t": "text"}


def value(text, **row):
    return expressions.compile(text, TYPES).evaluate({"a": None, "b": None, "t": None, **row})


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a + b * 2 - 1", 7.0),
        ("a / b if b > 0 else 0", 2 / 3),
        ("min(a, b) + max(a, b, 10) + abs(-a)", 14.0),
        ("log(exp(a))", 2.0),
        ("a ** b // 3 % 2", 0.0),
        ("a < b and not a == b or a > 100", 1.0),
        ("len(t) + count(lower(t), 'win')", 9.0),
        ("'WIN' in t", 1.0),
        ("lower(t) if a > 1 else t", "win win"),
        ('column("a")', 2.0),
    ],
)
def test_an_expression_yields_what_its_words_say(text, answer):
    found = value(text, a=2.0, b=3.0, t="WIN win")
    assert found == (pytest.approx(answer) if isinstance(answer, float) else answer)


@pytest.mark.parametrize(
    "text", ["a / (b - b)", "log(b - b)", "exp(a * 1e6)", "(-a) ** 0.5", "a % 0", "sqrt(-a)"]
)
def test_what_has_no_finite_value_is_missing(text):
    assert value(text, a=2.0, b=3.0) is None


@pytest.mark.parametrize("text", ["a + b", "a > b", "max(a, b)", "a if b else 1", "a or b"])
def test_a_missing_input_makes_the_result_missing(text):
    assert value(text, a=1.0) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("t.upper()", "plain arguments"),
        ("().__class__", "attributes"),
        ("__import__('os')", "plain arguments"),
        ("a[0]", "brackets"),
        ("lambda: a", "functions of its own"),
        ("[x for x in a]", "may not use this"),
        ("c + 1", "c is none of the inputs: a, b, t"),
        ("t + 1", "t is a text where a number is needed"),
        ("a if a else t", "t is a text where a number is needed"),
        ("a < b < 1", "two values at a time"),
        ("1 + 1", "at least one input"),
        ("a +", "cannot be read"),
        ("a + 1e999", "finite number"),
        ("a + True", "finite number"),
        ("a @ b", "calculates with"),
        ("a is b", "compares with"),
        ("log(a, b)", "another number of arguments"),
        ("+".join(["a"] * 400), "at most 200 parts"),
        ("-" * 60 + "a", "nests at most"),
        ("(" * 400 + "a" + ")" * 400, "cannot be read"),
        ("a" * 1001, "at most 1,000 characters"),
    ],
)
def test_what_the_language_does_not_have_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(InvalidInputError) as refused:
        expressions.compile(text, TYPES)
    assert sentence in str(refused.value)


def test_a_zero_has_no_sign():
    assert math.copysign(1, value("a * 0", a=-1.0)) == 1.0
