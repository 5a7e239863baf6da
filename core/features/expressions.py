"""A small language for derived features: arithmetic, comparisons, a few functions, and no more.

An expression is parsed with `ast` against a list of what is allowed, checked for its types, and
becomes nested functions; nothing is ever passed to `eval`. A missing input makes the result
missing, and so does what has no finite value (a division by zero, the logarithm of nothing).
"""

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import InvalidInputError

Value = float | str | None
"""A number or a text; None is a missing value."""

Kind = Literal["number", "text"]
Row = Mapping[str, Value]
Step = Callable[[Row], Value]

MOST_CHARACTERS, MOST_NODES, DEEPEST, LONGEST_TEXT = 1_000, 200, 20, 200
LARGEST = 1e30  # what a model may read; more counts as missing


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: what it yields, and the columns that it reads."""

    kind: Kind
    inputs: tuple[str, ...]
    evaluate: Step


def compile(text: str, inputs: Mapping[str, Kind]) -> Expression:
    """Check an expression over `inputs` and make it ready to evaluate.

    >>> types = {"debt": "number", "income": "number"}
    >>> ratio = compile("debt / income if income > 0 else 0", types)
    >>> ratio.evaluate({"debt": 3.0, "income": 2.0}), ratio.evaluate({"debt": 3.0, "income": None})
    (1.5, None)
    >>> compile("().__class__", {})
    Traceback (most recent call last):
    core.errors.InvalidInputError: An expression may not use attributes (a dot after a name).

    Raises: InvalidInputError (a sentence on what cannot be used).
    """
    tree = _parsed(text)
    builder = _Builder(inputs)
    kind, step = builder.build(tree, 1)
    if not builder.seen:
        raise InvalidInputError("An expression must read at least one input.")
    return Expression(kind, tuple(sorted(builder.seen)), step)


def _parsed(text: str) -> ast.expr:
    if len(text) > MOST_CHARACTERS:
        raise InvalidInputError(f"An expression has at most {MOST_CHARACTERS:,} characters.")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        nodes = sum(1 for _ in ast.walk(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        words = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply"
        raise InvalidInputError(f"The expression cannot be read: {words}.") from error
    if nodes > MOST_NODES:
        raise InvalidInputError(f"An expression has at most {MOST_NODES} parts.")
    return tree.body


class _Builder:
    """Turns parts of a tree into functions; keeps the names that were read."""

    def __init__(self, inputs: Mapping[str, Kind]) -> None:
        self._inputs = inputs
        self.seen: set[str] = set()
        self._parts: dict[type[ast.expr], Callable[..., tuple[Kind, Step]]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._arithmetic,
            ast.BoolOp: self._logic,
            ast.Compare: self._comparison,
            ast.IfExp: self._choice,
            ast.Call: self._call,
        }

    def build(self, node: ast.expr, depth: int) -> tuple[Kind, Step]:
        if depth > DEEPEST:
            raise InvalidInputError(f"An expression nests at most {DEEPEST} deep.")
        part = self._parts.get(type(node))
        if part is None:
            raise InvalidInputError(f"An expression may not use {_named(node)}.")
        return part(node, depth + 1)

    def _of(self, kind: Kind, node: ast.expr, depth: int) -> Step:
        found, step = self.build(node, depth)
        if found != kind:
            raise InvalidInputError(
                f"In an expression, {ast.unparse(node)[:60]} is a {found} where a {kind} is needed."
            )
        return step

    def _constant(self, node: ast.Constant, _depth: int) -> tuple[Kind, Step]:
        value = node.value
        if isinstance(value, str) and len(value) <= LONGEST_TEXT and "\x00" not in value:
            return "text", lambda _row: value
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = _finite(lambda: float(value))
            if number is not None:
                return "number", lambda _row: number
        raise InvalidInputError("A constant is a finite number, or a text of 200 characters.")

    def _name(self, node: ast.Name, _depth: int) -> tuple[Kind, Step]:
        return self._column(node.id)

    def _column(self, name: str) -> tuple[Kind, Step]:
        if name not in self._inputs:
            known = ", ".join(self._inputs) or "none"
            raise InvalidInputError(f"{name[:60]} is none of the inputs: {known}.")
        self.seen.add(name)
        return self._inputs[name], lambda row: row[name]

    def _unary(self, node: ast.UnaryOp, depth: int) -> tuple[Kind, Step]:
        rule = _UNARY.get(type(node.op))
        if rule is None:
            raise InvalidInputError("An expression may not use the operator ~.")
        return "number", _numeric(rule, [self._of("number", node.operand, depth)])

    def _arithmetic(self, node: ast.BinOp, depth: int) -> tuple[Kind, Step]:
        rule = _ARITHMETIC.get(type(node.op))
        if rule is None:
            raise InvalidInputError("An expression calculates with + - * / // % and ** only.")
        sides = [self._of("number", side, depth) for side in (node.left, node.right)]
        return "number", _numeric(rule, sides)

    def _logic(self, node: ast.BoolOp, depth: int) -> tuple[Kind, Step]:
        sides = [self._of("number", side, depth) for side in node.values]
        rule = all if isinstance(node.op, ast.And) else any
        return "number", _numeric(lambda *values: rule(values), sides)

    def _comparison(self, node: ast.Compare, depth: int) -> tuple[Kind, Step]:
        if len(node.ops) > 1:
            raise InvalidInputError("Compare two values at a time, and join the answers with and.")
        operator = node.ops[0]
        kind, left = self.build(node.left, depth)
        if isinstance(operator, ast.In | ast.NotIn):
            left = self._of("text", node.left, depth)
            kind = "text"
        right = self._of(kind, node.comparators[0], depth)
        rule = _COMPARISONS.get(type(operator))
        if rule is None:
            raise InvalidInputError("An expression compares with == != < <= > >= and in only.")
        return "number", _numeric(rule, [left, right])

    def _choice(self, node: ast.IfExp, depth: int) -> tuple[Kind, Step]:
        test = self._of("number", node.test, depth)
        kind, then = self.build(node.body, depth)
        other = self._of(kind, node.orelse, depth)

        def choose(row: Row) -> Value:
            answer = test(row)
            if answer is None:
                return None
            return then(row) if answer else other(row)

        return kind, choose

    def _call(self, node: ast.Call, depth: int) -> tuple[Kind, Step]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "column":
            return self._column(_only_text(node))
        function = _FUNCTIONS.get(name)
        if function is None or node.keywords:
            known = ", ".join(("column", *_FUNCTIONS))
            raise InvalidInputError(f"An expression may call, with plain arguments: {known}.")
        takes, gives, least, most, rule = function
        if not least <= len(node.args) <= most:
            raise InvalidInputError(f"{name} is called with another number of arguments.")
        steps = [self._of(takes, argument, depth) for argument in node.args]
        return gives, _textual(rule, steps) if gives == "text" else _numeric(rule, steps)


def _named(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return "attributes (a dot after a name)"
    return {
        "Subscript": "brackets",
        "Lambda": "functions of its own",
        "JoinedStr": "f-strings",
    }.get(type(node).__name__, f"this: {ast.unparse(node)[:40]}")


def _only_text(node: ast.Call) -> str:
    first = node.args[0] if len(node.args) == 1 and not node.keywords else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    raise InvalidInputError('A column whose name is no word is read as column("its name").')


def _numeric(rule: Callable[..., float], steps: list[Step]) -> Step:
    def step(row: Row) -> Value:
        values = [one(row) for one in steps]
        return None if None in values else _finite(lambda: float(rule(*values)))

    return step


def _textual(rule: Callable[..., str], steps: list[Step]) -> Step:
    def step(row: Row) -> Value:
        values = [one(row) for one in steps]
        return None if None in values else rule(*values)

    return step


def _finite(calculate: Callable[[], float]) -> float | None:
    """Return a number without its sign where it is zero; None where there is no finite one."""
    try:
        number = calculate()
    except (ZeroDivisionError, OverflowError, ValueError, TypeError):  # a complex power: TypeError
        return None
    return number + 0.0 if abs(number) <= LARGEST else None


_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {
    ast.USub: lambda a: -a,
    ast.UAdd: lambda a: a,
    ast.Not: lambda a: not a,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: lambda a, b: a**b,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[..., bool]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_FUNCTIONS: dict[str, tuple[Kind, Kind, int, int, Callable[..., Any]]] = {
    "min": ("number", "number", 2, 20, min),
    "max": ("number", "number", 2, 20, max),
    "abs": ("number", "number", 1, 1, abs),
    "log": ("number", "number", 1, 1, math.log),
    "exp": ("number", "number", 1, 1, math.exp),
    "sqrt": ("number", "number", 1, 1, math.sqrt),
    "floor": ("number", "number", 1, 1, math.floor),
    "len": ("text", "number", 1, 1, len),
    "lower": ("text", "text", 1, 1, str.lower),
    "count": ("text", "number", 2, 2, str.count),
}
