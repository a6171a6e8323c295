"""What is installed from the wheel works outside the repository, and what it needs is declared and pinned."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from hubsync import __version__

ROOT = Path(__file__).parents[1]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as for a release."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
        text=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with the wheel in it; what it depends on is borrowed from ours."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    programs = Path(paths["scripts"])
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(programs / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True, capture_output=True)
    (Path(paths["purelib"]) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return programs


def said_by(*command: str | Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def test_the_wheel_carries_the_code_and_the_rules_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    rules = {f"hubsync/_rules/{path.relative_to(ROOT / 'rules').as_posix()}" for path in (ROOT / "rules").rglob("*.*")}
    assert "hubsync/_rules/portal.yaml" in rules
    assert rules <= carried
    migrations = (ROOT / "hubsync" / "store" / "migrations").rglob("*.py")
    assert {path.relative_to(ROOT).as_posix() for path in migrations} <= carried
    assert {"hubsync/py.typed", "hubsync/cli/templates/report.html"} <= carried
    assert {name.partition("/")[0] for name in carried} == {"hubsync", f"hubsync-{__version__}.dist-info"}


def test_the_installed_program_says_its_version(installed: Path) -> None:
    assert said_by(installed / "hubsync", "--version") == f"hubsync {__version__}\n"


def test_the_installed_package_is_the_wheels_and_finds_its_own_rules(installed: Path) -> None:
    script = "import hubsync.settings as s; print(s.__file__); print(s.default_rules())"
    module, rules = map(Path, said_by(installed / "python", "-c", script).splitlines())
    assert module.is_relative_to(installed.parent)
    assert rules == module.parent / "_rules"


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]  # type: ignore[no-any-return]


def test_the_version_is_the_same_everywhere() -> None:
    assert project()["version"] == __version__


def test_every_library_that_is_imported_is_declared() -> None:
    extras = project()["optional-dependencies"]
    declared = {canonical(Requirement(line).name) for line in [*project()["dependencies"], *extras["postgres"]]}
    declared.add("pydantic-core")  # pydantic's other half, which it pins to the exact version
    providers = metadata.packages_distributions()
    imported = {
        name.partition(".")[0]
        for path in (ROOT / "hubsync").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    } - {*sys.stdlib_module_names, "hubsync"}
    assert {name for name in imported if declared.isdisjoint(map(canonical, providers.get(name, [])))} == set()


def test_every_library_that_is_installed_along_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {canonical(Requirement(line).name) for line in lines if line and not line.startswith("#")}
    extras = project()["optional-dependencies"]
    waiting = [Requirement(line) for line in [*project()["dependencies"], *extras["postgres"], *extras["dev"]]]
    needed: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonical(wanted.name), frozenset(wanted.extras))
        if key in needed:
            continue
        needed.add(key)
        for requirement in map(Requirement, metadata.requires(wanted.name) or []):
            settings = [{"extra": extra} for extra in ("", *wanted.extras)]
            if requirement.marker is None or any(requirement.marker.evaluate(extra) for extra in settings):
                waiting.append(requirement)
    assert {name for name, _ in needed} - pinned == set()
