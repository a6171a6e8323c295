"""Scripts run as programs within the tests' process, which has imported already what they need."""

from __future__ import annotations

import runpy
from pathlib import Path


def code_of(script: str | Path) -> int:
    """Run a script to its end, with `sys.argv` as it stands; its exit code."""
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    return 0
