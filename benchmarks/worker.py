"""Work that is done in a process of its own: a job goes in as JSON, a result comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent


class RunFailed(AssertionError):
    """Something went wrong, so that no figure of this run may be believed."""


def plain_environment() -> dict[str, str]:
    """Nothing of the developer's own settings reaches what is measured."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def work(
    module: str,
    job: Mapping[str, Any],
    settings: Mapping[str, str] | None = None,
    *,
    seconds: float = 60.0,
) -> dict[str, Any]:
    """Runs `benchmarks.<module>` with these settings of Paychime's and no others."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}"],
        input=json.dumps(dict(job)),
        env=plain_environment() | dict(settings or {}),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode or not done.stdout:
        raise RunFailed(f"benchmarks.{module} ended with {done.returncode}:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def job() -> dict[str, Any]:
    """In the worker: what it is asked to do."""
    asked: dict[str, Any] = json.load(sys.stdin)
    return asked


def answer(result: Mapping[str, Any]) -> None:
    """In the worker: what came of it."""
    print(json.dumps(dict(result)), flush=True)
