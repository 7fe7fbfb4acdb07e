"""`[rules] forbid`, on the syntax tree: finds forbidden names and builtins through imports and aliases."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping


def violations(files: Mapping[str, bytes], forbid: Iterable[str]) -> list[str]:
    """One sentence for each use of a forbidden name. A file that does not parse has none: loading will say so."""
    forbidden = frozenset(forbid)
    found = []
    for name, content in files.items():
        if not name.endswith(".py") or not forbidden:
            continue
        try:
            tree = ast.parse(content)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        found += [
            f"{name}, line {line}: uses {used}, which the statement forbids" for used, line in _uses(tree, forbidden)
        ]
    return found


def _uses(tree: ast.AST, forbidden: frozenset[str]) -> list[tuple[str, int]]:
    aliases = _aliases(tree)
    found: dict[tuple[str, int], None] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Name)):
            names = [_dotted(node, aliases)]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}".removeprefix("builtins.") for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            for hit in _hits(name, forbidden):
                found[(hit, getattr(node, "lineno", 0))] = None
    return list(found)


def _hits(name: str | None, forbidden: frozenset[str]) -> list[str]:
    """A forbidden name itself, or anything inside it."""
    if name is None:
        return []
    return [entry for entry in forbidden if name == entry or name.startswith(entry + ".")]


def _aliases(tree: ast.AST) -> dict[str, str]:
    """What each name stands for: {"nn": "torch.nn"}; a builtin for itself, unless the file defines it."""
    known = {name: name for name in dir(builtins) if name not in _defined(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return known


def _defined(tree: ast.AST) -> set[str]:
    """The names that a file gives a meaning of its own."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return found | {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def _dotted(node: ast.expr, aliases: Mapping[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in aliases:
        return None
    return ".".join([aliases[node.id], *reversed(parts)]).removeprefix("builtins.")
