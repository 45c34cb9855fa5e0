"""Whether a step can be executed for a plan: its source says so, before it is called.

The rule: a step that runs under `--plan` only hands values over. It may call the drill, build checks, calculate, and
call functions of the repository that do no more than that. A function that is only handed over (for `looked` to ask,
for `satisfies` to judge) is not called, and may do anything. Anything that is not known to be harmless is a suspicion
with its place, and the step is not executed.

This is a list of what is allowed, not of what is forbidden. A C extension opens a connection that no hook of Python
notices, and a loop that waits would wait in the plan too.
"""

from __future__ import annotations

import ast
import builtins
import enum
import inspect
import linecache
import math
import textwrap
import time
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from drillbook.checks import At, Check, Observation, Reading, happened, looked
from drillbook.engine.drill_api import CALLS, FACTS
from drillbook.model.python_source import parsed

_MAKERS = (At, Check, Observation, Reading, happened, looked)
"""Callables of the engine that keep a function argument and do not call it."""
_PURE: tuple[object, ...] = (
    *(abs, all, any, bool, dict, enumerate, float, int, len, list, max, min, range, repr, reversed, round, set, sorted),
    *(str, sum, tuple, zip, time.monotonic, math.ceil, math.floor, math.inf, math.isclose, math.sqrt),
)
_METHODS = CALLS | frozenset({
    # checks
    "json", "answers", "silent", "status", "latency", "is_", "is_not", "at_most", "at_least", "within",
    "contains", "satisfies", "marking",
    # a drill's load and its inventory
    "submit", "balance", "refused", "failures", "variable", "names", "setting",
    # texts, lists, mappings
    "lower", "upper", "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "join", "replace", "title",
    "capitalize", "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "zfill",
    "count", "index", "find", "isdigit", "get", "items", "keys", "values", "append", "extend", "copy",
})  # fmt: skip
_KEEPS_A_FUNCTION = frozenset({"satisfies", "decide"})
_ATTRIBUTES = FACTS | frozenset({
    "rate", "endpoints", "groups", "hostvars", "environment", "work", "name", "kind", "url", "subject", "unit",
    "endpoint", "value",
})  # fmt: skip
_PLAIN = (str, int, float, bool, bytes, types.NoneType)
_CONTAINERS = (tuple, list, set, frozenset)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Why a step is not executed for a plan; `line` is in the file at `path`."""

    path: Path
    line: int
    reason: str


class _Kind(Enum):
    VALUE = auto()  # plain data, a check, the drill: any use of it is harmless
    FUNCTION = auto()  # code that nobody has checked: it may be handed over, but not called


def suspicion(func: Callable[..., object], arguments: Mapping[str, object], root: Path) -> Suspicion | None:
    """What in the function might do more than hand values over; None when nothing does.

    `arguments` are those of its call, without the drill itself, which the caller leaves out. Functions that it calls
    are checked when they lie below `root`, and not among installed packages.
    """
    if not isinstance(func, types.FunctionType):
        return Suspicion(Path("?"), 1, f"{func!r} is no plain function")
    for name, value in arguments.items():
        if not is_plain(value):
            return Suspicion(
                Path(func.__code__.co_filename),
                func.__code__.co_firstlineno,
                f"its argument {name} is a {type(value).__name__}",
            )
    try:
        _Function(func, (), root).look()
    except _SuspectError as error:
        return error.suspicion
    return None


def is_plain(value: object) -> bool:
    """Whether a value is data of Python's own types, an enum of Drillbook's, or a check: no code of a user's."""
    if type(value) in _PLAIN or type(value) in (At, Check, Reading):
        return True
    if type(value) in _CONTAINERS:
        return all(is_plain(each) for each in value)  # type: ignore[attr-defined]
    if type(value) is dict:
        return all(is_plain(key) and is_plain(each) for key, each in value.items())
    return isinstance(value, enum.Enum) and type(value).__module__.startswith("drillbook.")


def _is_known(found: type) -> bool:
    return found.__module__ == "builtins" or found.__module__.startswith("drillbook.")


def _is_below(func: types.FunctionType, root: Path) -> bool:
    path = Path(func.__code__.co_filename)
    return path.resolve().is_relative_to(root.resolve()) and "site-packages" not in path.parts


def _source(code: types.CodeType) -> str:
    """What `inspect.getsource` finds.

    That function first looks at the files of all modules: 30 ms of a drill's start.
    """
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    if not lines:
        msg = f"{code.co_filename} cannot be read"
        raise OSError(msg)
    return "".join(inspect.getblock(lines[code.co_firstlineno - 1 :]))


class _SuspectError(Exception):
    def __init__(self, suspicion: Suspicion) -> None:
        super().__init__(suspicion.reason)
        self.suspicion = suspicion


class _Function:
    """One function of the repository, and the names that it may use: its own, its module's, and its closure's."""

    def __init__(self, func: types.FunctionType, callers: tuple[types.CodeType, ...], root: Path) -> None:
        self._func, self._code, self._root = func, func.__code__, root
        self._path = Path(self._code.co_filename)
        self._callers = (*callers, self._code)
        self._names: dict[str, _Kind] = {}
        self._local: dict[str, ast.FunctionDef | ast.Lambda] = {}
        self._open: list[ast.AST] = []
        self._outer = inspect.getclosurevars(func).nonlocals

    def look(self) -> None:
        if self._code in self._callers[:-1]:
            raise self._refused(None, f"{self._func.__name__} calls itself")
        node = self._parsed()
        for value in (*(self._func.__defaults__ or ()), *(self._func.__kwdefaults__ or {}).values()):
            if not is_plain(value):
                raise self._refused(node, f"a default of {self._func.__name__} is a {type(value).__name__}")
        self._body_of(node)

    def _parsed(self) -> ast.FunctionDef:
        # of the code, not of the function: a decorator's wrapper is what will be called, not the function that it wraps
        try:
            tree = parsed(textwrap.dedent(_source(self._code)))
        except (OSError, SyntaxError, TypeError):
            raise self._refused(None, "its source cannot be read") from None
        ast.increment_lineno(tree, self._code.co_firstlineno - 1)
        node = tree.body[0] if tree.body else None
        if not isinstance(node, ast.FunctionDef):
            raise self._refused(node, "it is no plain function")
        return node

    def _body_of(self, node: ast.FunctionDef | ast.Lambda) -> None:
        if node in self._open:
            raise self._refused(node, "a function calls itself")
        self._open.append(node)
        outside = dict(self._names)
        given = node.args
        for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
            if each is not None:
                self._names[each.arg] = _Kind.VALUE
        if isinstance(node, ast.Lambda):
            self._value(node.body)
        else:
            self._statements(node.body)
        self._open.pop()
        self._names = outside

    # ------------------------------------------------------------------ statements

    def _statements(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Pass() | ast.Return(value=None):
                pass
            case ast.Expr(value=value) | ast.Return(value=ast.expr() as value):
                self._kind(value)
            case ast.Assign(targets=targets, value=value):
                kind = self._kind(value)
                for target in targets:
                    self._bind(target, kind)
            case ast.AnnAssign(target=target, value=assigned):
                self._bind(target, _Kind.VALUE if assigned is None else self._kind(assigned))
            case ast.AugAssign(target=ast.Name(), value=value):
                self._value(value)
            case ast.Assert(test=test, msg=message):
                self._values(test, message)
            case ast.Raise(exc=ast.Call(func=raised, args=given, keywords=[]), cause=None) if self._is_error(raised):
                self._values(*given)
            case ast.If(test=test, body=body, orelse=orelse):
                self._value(test)
                self._statements([*body, *orelse])
            case ast.For(target=target, iter=iterated, body=body, orelse=orelse):
                self._value(iterated)
                self._bind(target, _Kind.VALUE)
                # twice: the begin of the body may use what its end binds
                self._statements([*body, *body, *orelse])
            case ast.FunctionDef(name=name, decorator_list=[]):
                self._defined(statement)
                self._names[name], self._local[name] = _Kind.FUNCTION, statement
            case _:
                raise self._refused(statement, f"a statement that plans do not follow: {self._text(statement)}")

    def _is_error(self, node: ast.expr) -> bool:
        """Whether it is an exception of Python's or of Drillbook's, which does nothing when it is made."""
        found = self._resolved(node)
        return isinstance(found, type) and issubclass(found, Exception) and _is_known(found)

    def _bind(self, target: ast.expr, kind: _Kind) -> None:
        match target:
            case ast.Name(id=name):
                if kind is _Kind.VALUE and self._names.get(name) is _Kind.FUNCTION:
                    kind = _Kind.FUNCTION  # a function in one branch, something else in another
                self._names[name] = kind
                self._local.pop(name, None)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._bind(part, kind)
            case ast.Starred(value=value):
                self._bind(value, kind)
            case _:
                raise self._refused(target, f"it changes {self._text(target)}")

    def _defined(self, node: ast.FunctionDef | ast.Lambda) -> None:
        """What is evaluated when a function is defined: its defaults and annotations."""
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self._value(default)
        annotated = [each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg)]
        returned = [node.returns] if isinstance(node, ast.FunctionDef) else []
        for annotation in filter(None, (*annotated, *returned)):
            if any(isinstance(each, ast.Call) for each in ast.walk(annotation)):
                raise self._refused(annotation, f"an annotation that is a call: {self._text(annotation)}")

    # ------------------------------------------------------------------ expressions

    def _values(self, *nodes: ast.expr | None) -> None:
        for node in filter(None, nodes):
            self._value(node)

    def _value(self, node: ast.expr) -> None:
        if self._kind(node) is not _Kind.VALUE:
            raise self._refused(node, f"{self._text(node)} is a function, and would be called")

    def _kind(self, node: ast.expr) -> _Kind:
        match node:
            case ast.Constant():
                return _Kind.VALUE
            case ast.Name(id=name):
                return self._names[name] if name in self._names else self._kind_of(node, self._known(node))
            case ast.Lambda():
                self._defined(node)
                return _Kind.FUNCTION
            case ast.Call():
                self._call(node)
                return _Kind.VALUE
            case ast.Attribute():
                found = self._resolved(node)
                if found is not None:
                    return self._kind_of(node, found)
                self._value(node.value)
                if node.attr not in _ATTRIBUTES:
                    raise self._refused(node, f"{self._text(node)} is not known to be harmless")
                return _Kind.VALUE
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node)
            case ast.BinOp(op=ast.Pow()):
                raise self._refused(node, f"{self._text(node)} may take long")
            case (
                ast.BinOp() | ast.BoolOp() | ast.UnaryOp() | ast.Compare() | ast.IfExp() | ast.Subscript() | ast.Slice()
                | ast.Tuple() | ast.List() | ast.Dict() | ast.Set() | ast.Starred() | ast.JoinedStr()
                | ast.FormattedValue()
            ):  # fmt: skip
                kinds = [self._kind(each) for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
                return _Kind.FUNCTION if _Kind.FUNCTION in kinds else _Kind.VALUE
            case _:
                raise self._refused(node, f"an expression that plans do not follow: {self._text(node)}")

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> _Kind:
        for each in node.generators:
            self._value(each.iter)
            self._bind(each.target, _Kind.VALUE)
            for condition in each.ifs:
                self._value(condition)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self._value(part)
        return _Kind.VALUE

    def _call(self, node: ast.Call) -> None:
        kinds = [self._kind(each) for each in (*node.args, *(word.value for word in node.keywords))]
        function = _Kind.FUNCTION in kinds
        called: Any = self._resolved(node.func)
        if isinstance(node.func, ast.Name) and node.func.id in self._local and not function:
            self._body_of(self._local[node.func.id])
            return
        if called is not None:
            if any(called is each for each in _MAKERS) or (any(called is each for each in _PURE) and not function):
                return
            if isinstance(called, types.FunctionType) and not function and _is_below(called, self._root):
                _Function(called, self._callers, self._root).look()
                return
        elif isinstance(node.func, ast.Attribute):
            self._value(node.func.value)
            if node.func.attr in _METHODS and (not function or node.func.attr in _KEEPS_A_FUNCTION):
                return
        raise self._refused(node, f"it calls {self._text(node.func)}(), which is not known to be harmless")

    def _resolved(self, node: ast.expr) -> object | None:
        """The object that a name of the module, or an attribute of a module or enum there, stands for now."""
        if isinstance(node, ast.Name) and node.id not in self._names:
            return self._known(node)
        if isinstance(node, ast.Attribute):
            owner = self._resolved(node.value)
            enumeration = isinstance(owner, enum.EnumMeta) and is_plain(next(iter(owner), None))
            if isinstance(owner, types.ModuleType) or enumeration:
                found: object | None = vars(owner).get(node.attr)
                return found
        return None

    def _known(self, node: ast.Name) -> object:
        for names in (self._outer, self._func.__globals__, vars(builtins)):
            if node.id in names:
                found: object = names[node.id]
                return found
        raise self._refused(node, f"nobody knows the name {node.id}")

    def _kind_of(self, node: ast.expr, found: object) -> _Kind:
        if is_plain(found) or any(found is each for each in _PURE if not callable(each)):
            return _Kind.VALUE
        if callable(found):
            return _Kind.FUNCTION
        raise self._refused(node, f"{self._text(node)} is a {type(found).__name__}, which is not known to be harmless")

    def _text(self, node: ast.AST) -> str:
        text = ast.unparse(node).splitlines()[0]
        return text if len(text) <= 60 else f"{text[:57]}..."

    def _refused(self, node: ast.AST | None, reason: str) -> _SuspectError:
        line = getattr(node, "lineno", self._code.co_firstlineno)
        return _SuspectError(Suspicion(self._path, line, reason))
