"""The layers of the design, by a walk over the imports: who may know whom, and who alone may use which library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hubsync"

ROWS = (
    *("cli", "web", "sandbox", "service", "sync", "insights", "portal", "store"),
    *("proving", "rulefiles", "policy"),
    *("settings", "envfile", "logs", "errors"),
)
"""From top to bottom: a module imports from rows below its own, or from its own package."""

ONLY_THESE_OF_OURS = {
    "policy": {"errors"},
    "sandbox": {"errors"},
    "logs": set[str](),
    "errors": set[str](),
}
"""Rows that may know even less than what lies below them."""

ONLY_USED_BY = {
    "hubspot": {"portal"},
    "requests": {"portal"},
    "urllib3": {"portal"},
    "tenacity": {"portal"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "yaml": {"rulefiles"},
    "typer": {"cli"},
    "rich": {"cli"},
    "pydantic_settings": {"settings"},
    "dotenv": {"envfile"},
    "hubsync.settings": {"cli"},
    "hubsync.envfile": {"settings"},
}
"""Libraries and modules behind one door."""

POLICY_MAY_USE = {"pydantic", "hubsync"}
"""Beside the standard library: deciding is pure."""

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
LONGEST_SCRIPT = 60


def sources(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "_rules" not in path.parts and "__pycache__" not in path.parts
    )


def row_of(path: Path) -> str:
    """The row a source file belongs to; "" for the package's own __init__ and __main__."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first.startswith("__") else first


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything the file imports, wherever in it."""
    package = ["hubsync", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def within(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def faults_of_direction(path: Path) -> Iterator[str]:
    mine = row_of(path)
    for line, name in imports(path):
        parts = name.split(".")
        if not mine or parts[0] != "hubsync" or len(parts) < 2 or parts[1] in (mine, "__version__"):
            continue
        where = f"{path.relative_to(ROOT)}:{line}: {mine} may not import {name}"
        if parts[1] not in ROWS:
            yield f"{where}, which is in no row"
        elif ROWS.index(parts[1]) < ROWS.index(mine):
            yield f"{where}, which lies above it"
        elif parts[1] not in ONLY_THESE_OF_OURS.get(mine, set(ROWS)):
            yield f"{where}; only {', '.join(sorted(ONLY_THESE_OF_OURS[mine])) or 'nothing of ours'}"


def faults_of_doors(path: Path) -> Iterator[str]:
    mine = row_of(path)
    for line, name in imports(path):
        for module, users in ONLY_USED_BY.items():
            if within(name, module) and mine not in users | {module.rpartition(".")[2]}:
                yield f"{path.relative_to(ROOT)}:{line}: {module} is used by {', '.join(sorted(users))} only"


@pytest.fixture
def file_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of policy/ in a tree of its own, that breaks what can be broken."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path / "hubsync")
    path = tmp_path / "hubsync" / "policy" / "wrong.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import requests\n"
        "from hubsync.store import tables\n"
        "from .. import settings\n"
        "from hubsync.policy import contact\n"
        "def late():\n"
        "    import hubsync.nowhere\n"
    )
    return path


def test_the_walk_sees_every_way_to_import(file_with: Path) -> None:
    assert sorted(imports(file_with)) == [
        (1, "requests"),
        (2, "hubsync.store.tables"),
        (3, "hubsync.settings"),
        (4, "hubsync.policy.contact"),
        (6, "hubsync.nowhere"),
    ]
    assert list(faults_of_direction(file_with)) == [
        "hubsync/policy/wrong.py:2: policy may not import hubsync.store.tables, which lies above it",
        "hubsync/policy/wrong.py:3: policy may not import hubsync.settings; only errors",
        "hubsync/policy/wrong.py:6: policy may not import hubsync.nowhere, which is in no row",
    ]
    assert list(faults_of_doors(file_with)) == [
        "hubsync/policy/wrong.py:1: requests is used by portal only",
        "hubsync/policy/wrong.py:3: hubsync.settings is used by cli only",
    ]


def test_every_module_stands_in_a_row() -> None:
    assert {row_of(path) for path in sources("hubsync")} - {""} <= set(ROWS)


def test_imports_point_downwards() -> None:
    assert [fault for path in sources("hubsync") for fault in faults_of_direction(path)] == []


def test_what_lies_behind_one_door_is_used_behind_it_only() -> None:
    assert [fault for path in sources("hubsync") for fault in faults_of_doors(path)] == []


def test_policy_uses_the_standard_library_and_pydantic_alone() -> None:
    import sys

    assert [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources("hubsync/policy")
        for line, name in imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names | POLICY_MAY_USE
    ] == []


def test_the_command_line_alone_exits() -> None:
    exits = {"sys.exit", "os._exit", "exit", "quit", "SystemExit"}
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for path in sources("hubsync")
        if row_of(path) not in ("cli", "") and path.name != "__main__.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call | ast.Raise)
        and ast.unparse(node.func if isinstance(node, ast.Call) else node.exc or node) in exits
    ] == []


def test_no_file_is_longer_than_one_reads() -> None:
    assert [
        f"{path.relative_to(ROOT)}: {length} lines"
        for path in sources("hubsync", "tests", "scripts", "benchmarks")
        if (length := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    ] == []


def test_every_function_fits_a_screen() -> None:
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {length} lines"
        for path in sources("hubsync", "scripts", "benchmarks")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ] == []


def test_a_one_off_script_is_short() -> None:
    assert [
        f"{path.relative_to(ROOT)}: {length} lines"
        for path in sources("scripts")
        if (length := len(path.read_text(encoding="utf-8").splitlines())) >= LONGEST_SCRIPT
    ] == []


def test_every_module_says_why_it_exists() -> None:
    assert [
        str(path.relative_to(ROOT))
        for path in sources("hubsync", "scripts", "benchmarks")
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ] == []
