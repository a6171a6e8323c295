"""What the guard refused, shown to scripts: they see on stdout what would have been written, besides the exit code.

For people the message on stderr is enough: it says how to look at the plan. Nothing is decided here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from hubsync.cli.options import Format
from hubsync.cli.output import Report, emit
from hubsync.errors import UnsafePlan


@contextlib.contextmanager
def refused_plan_shown(plan: Callable[[UnsafePlan], Report], form: Format | None, out: Path | None) -> Iterator[None]:
    """Where the guard stops what is done inside, emit the plan that it refused, if rows were asked for in some form.

    `plan` makes the report of what was refused. The UnsafePlan passes through.
    """
    try:
        yield
    except UnsafePlan as stop:
        if form is not None or out is not None:
            emit(plan(stop), form=form, out=out)
        raise
