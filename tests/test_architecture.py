"""The import contracts of pyproject.toml hold, and would be missed if they did not."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ALONE = "no provider knows another"


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def sources(folder: Path) -> Iterator[Path]:
    """Every Python file of ours; environments, caches and data lie elsewhere."""
    yield from folder.glob("*.py")
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith(".") and child.name != "instance":
            yield from child.rglob("*.py")


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code apart from the repository, with its contracts still kept."""
    for package in ("payments", "sandbox"):
        shutil.copytree(
            REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    unplanted = lint_imports(tmp_path)
    assert unplanted.returncode == 0, unplanted.stdout + unplanted.stderr
    return tmp_path


def test_the_import_contracts_hold() -> None:
    checked = lint_imports(REPOSITORY)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("package", "line", "contract"),
    [
        ("payments/domain", "import flask", "the domain does no I/O"),
        ("sandbox", "import payments.domain", "the sandbox is a stranger"),
        ("payments/web", "import payments.realtime", "imports point down only"),
        ("payments/providers/momo.py", "import payments.providers.generic", ALONE),
    ],
)
def test_a_forbidden_import_is_noticed(copy: Path, package: str, line: str, contract: str) -> None:
    module = copy / package if package.endswith(".py") else copy / package / "__init__.py"
    module.write_text(f"{module.read_text()}\n{line}\n")
    checked = lint_imports(copy)
    assert checked.returncode == 1
    broken = re.findall(r"^(.+?) BROKEN", checked.stdout, re.MULTILINE)
    assert broken == [contract], checked.stdout


def test_one_module_commits() -> None:
    files = (REPOSITORY / "payments").rglob("*.py")
    committing = {str(f.relative_to(REPOSITORY)) for f in files if ".commit(" in f.read_text()}
    assert committing == {"payments/store/db.py"}


def test_only_wsgi_knows_eventlet() -> None:
    knowing = {
        str(file.relative_to(REPOSITORY))
        for file in sources(REPOSITORY)
        # A test that breaks a server's clock or sockets has to get beneath it.
        if not file.is_relative_to(REPOSITORY / "tests" / "faults")
        and any(name.split(".")[0] == "eventlet" for name in imports(file))
    }
    assert knowing == {"wsgi.py"}
