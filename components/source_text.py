"""Reads Python files without importing them: what of a file can change a result, and what it imports.

Comments, docstrings, blank lines and the help texts of parameters change nothing. They are cut by the positions that `ast` gives,
which are the same on every Python; what `ast.unparse` or `tokenize` make of a file is not. To cut too little is safe: a stage is
executed once more.
"""

import ast
import functools
import itertools
from collections.abc import Iterator, Sequence

Span = tuple[tuple[int, int], tuple[int, int]]  # of the first and of the byte after the last: its line, from 0, and its column


@functools.cache
def code_of(source: bytes) -> bytes:
    """Returns a module without what cannot change a result. Raises SyntaxError: it is no Python."""
    lines = source.splitlines()
    texts = sorted(span(node) for node in nodes_of(source) if is_text(node))
    within = {row for (first, _), (last, _) in texts for row in range(first, last)}  # a blank line there is the text's own
    cut = [part for node in nodes_of(source) for part in (*docstring(node), *help_text(node))]
    for (first, start), (last, end) in sorted([*cut, *comments(lines, texts)], reverse=True):
        lines[first : last + 1] = [lines[first][:start].rstrip() + lines[last][end:], *[b""] * (last - first)]
        within.difference_update(range(first, last))
    return b"\n".join(line for row, line in enumerate(lines) if line.strip() or row in within)


@functools.cache
def imports(source: bytes) -> list[tuple[int, str, list[str]]]:
    """Returns (level, module, names) of every import statement of a module, those inside functions included."""
    found: list[tuple[int, str, list[str]]] = []
    for node in nodes_of(source):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or "", [alias.name for alias in node.names]))
    return found


@functools.cache
def nodes_of(source: bytes) -> list[ast.AST]:
    """Returns the syntax tree's nodes but those inside f-strings: where these are, Python 3.11 does not tell reliably."""
    found: list[ast.AST] = [ast.parse(source)]
    for node in found:  # which grows meanwhile
        if not is_text(node):
            found += ast.iter_child_nodes(node)
    return found


def is_text(node: ast.AST) -> bool:
    """Whether a node is a text as it is written in the source, an f-string as a whole."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def span(node: ast.AST) -> Span:
    """Returns where an expression begins and ends."""
    return (node.lineno - 1, node.col_offset), (node.end_lineno - 1, node.end_col_offset)  # type: ignore[attr-defined]


def docstring(node: ast.AST) -> Iterator[Span]:
    """Yields the docstring of a module, a class or a function that has one."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node, False):
        yield span(node.body[0])


def help_text(node: ast.AST) -> Iterator[Span]:
    """Yields the help of a `parameter(default, help, ...)` of components/settings.py, and all that is between its arguments.

    So it does not matter either on how many lines a formatter puts them, which depends on the length of the help.
    """
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "parameter":
        kept = [node.func, *node.args[:1], *node.args[2:], *(each for each in node.keywords if each.arg != "help")]
        end = span(node)[1]
        yield from ((gap, following) for (_, gap), (following, _) in itertools.pairwise([*map(span, kept), (end, end)]))


def comments(lines: Sequence[bytes], texts: Sequence[Span]) -> Iterator[Span]:
    """Yields the comments: what follows the first # of a line that is in no text."""
    for row, line in enumerate(lines):
        column = line.find(b"#")
        while column >= 0:
            around = next((end for start, end in texts if start <= (row, column) < end), None)
            if around is None:
                yield (row, column), (row, len(line))
            column = line.find(b"#", around[1]) if around and around[0] == row else -1
