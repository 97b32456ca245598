"""What a rule of style is made of: a file read once, and what may be wrong in it."""

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

PACKAGES = ("tally", "consumer", "producer")


@dataclass(frozen=True)
class SourceFile:
    """A Python file, read once for all rules."""

    path: PurePath
    text: str

    @property
    def package(self) -> str:
        """The folder at the top, such as `tally` or `tests`."""
        return self.path.parts[0]

    @property
    def module(self) -> str:
        """The dotted name, such as `tally.counters.event`."""
        return ".".join(self.path.with_suffix("").parts).removesuffix(".__init__")

    @property
    def is_ours(self) -> bool:
        """Whether the file is of a package that is shipped."""
        return self.package in PACKAGES

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree."""
        return list(ast.walk(self.tree))

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        """Every comment with its line; strings that look like one are none."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT]

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Every imported module with its line, also of imports inside functions."""
        found = []
        for node in self.nodes:
            match node:
                case ast.Import(names=names):
                    found += [(node.lineno, name.name) for name in names]
                case ast.ImportFrom(module=module, names=names, level=level):
                    base = "." * level + (module or "")
                    found += [(node.lineno, f"{base}.{name.name}") for name in names]
        return found


Complaints = Iterator[tuple[int, str]]


@dataclass(frozen=True)
class Rule:
    """A rule, where it holds, and a file that breaks it."""

    find: Callable[[SourceFile], Complaints]
    holds: Callable[[SourceFile], bool]
    bad: tuple[SourceFile, ...]

    def complaints(self, source: SourceFile) -> list[str]:
        """What is wrong with a file, as `path:line: what`; nothing where the rule does not hold."""
        found = self.find(source) if self.holds(source) else ()
        return [f"{source.path}:{line}: {what}" for line, what in found]


RULES: dict[str, Rule] = {}


def everywhere(_: SourceFile) -> bool:
    return True


def shipped(source: SourceFile) -> bool:
    return source.is_ours


def tested(source: SourceFile) -> bool:
    return source.package == "tests"


def rule(holds, *bad):
    """Enter a rule under its function's name, with (path, text) of files that break it."""

    def enter(find):
        sources = tuple(SourceFile(PurePath(path), text) for path, text in bad)
        RULES[find.__name__] = Rule(find, holds, sources)
        return find

    return enter


def names(node: ast.expr) -> set[str]:
    """The last names of a name, an attribute or a tuple of them."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return {part.id for part in parts if isinstance(part, ast.Name)} | {
        part.attr for part in parts if isinstance(part, ast.Attribute)
    }
