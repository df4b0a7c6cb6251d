"""The import contract, read from the sources: who may import whom, and no cycles."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from conftest import ROOT

PACKAGES = {
    "maiacc_isa": ROOT / "isa" / "maiacc_isa",
    "maiacc_sim": ROOT / "sim" / "maiacc_sim",
    "maiacc_passes": ROOT / "passes" / "maiacc_passes",
    "maiacc": ROOT / "maiacc",
}

#: What each package may import of ours, as prefixes of module names.
ALLOWED = {
    "maiacc_isa": (),
    "maiacc_sim": ("maiacc_isa",),
    "maiacc_passes.ir": (),
    "maiacc_passes": ("maiacc_passes.ir", "maiacc_isa.machine"),
    "maiacc": ("maiacc", "maiacc_isa", "maiacc_sim", "maiacc_passes"),
}


def _modules() -> dict[str, Path]:
    found = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path
    return found


def _imports(path: Path, top_level_only: bool = False, run_time: bool = False) -> set[str]:
    """What a module imports; ``run_time`` leaves out what only annotations need."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    if run_time:
        typed = {id(x) for node in nodes if _is_for_types(node) for x in ast.walk(node)}
        nodes = [node for node in nodes if id(node) not in typed]
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not used"
            module = node.module or ""
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def _is_for_types(node: ast.AST) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _owner(module: str) -> str:
    return max((p for p in ALLOWED if module == p or module.startswith(f"{p}.")), key=len)


def _within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")


@pytest.mark.parametrize("module", sorted(_modules()))
def test_a_module_imports_only_what_its_package_may(module: str) -> None:
    owner = _owner(module)
    ours = {name for name in _imports(_modules()[module]) if name.split(".")[0] in PACKAGES}
    allowed = (owner, *ALLOWED[owner])
    # A package's own modules may be imported, but not those of a package inside it that is
    # listed with a contract of its own, unless the contract names it.
    wrong = {name for name in ours if not any(_within(name, prefix) for prefix in allowed)}
    assert not wrong, f"{module} must not import {sorted(wrong)}"


def test_no_import_cycles() -> None:
    modules = _modules()
    graph = {
        name: {i for i in _imports(path, run_time=True) if i in modules and i != name}
        for name, path in modules.items()
    }
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for other in sorted(graph[name]):
            visit(other)
        path.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)


def test_no_imports_inside_functions() -> None:
    """Commands are imported lazily by name in maiacc/cli.py; nothing else is."""
    for module, path in _modules().items():
        tree = ast.parse(path.read_text("utf-8"))
        top = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in top:
                guard = any(
                    isinstance(b, ast.If) and node in b.body and "TYPE_CHECKING" in ast.dump(b.test)
                    for b in tree.body
                )
                assert guard, f"{module}:{node.lineno} imports inside a function"


def test_files_are_of_a_readable_size() -> None:
    """Files stay below 400 lines; the rest of the sources rarely pass 300."""
    for module, path in _modules().items():
        lines = path.read_text("utf-8").count("\n")
        assert lines <= 400, f"{module} has {lines} lines"
