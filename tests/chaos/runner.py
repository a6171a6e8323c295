"""hubsync in a process of its own that can be killed, without paying for the start of Python each time.

`serve` is the main loop of a warm process: it reads one job a line, forks, and the child becomes `hubsync …`: the real
command line on the real code. Only waiting is replaced: back-offs and pauses cost no time, and the machine's clock is
the job's; and no rule is dropped to propose. It knows nothing of portals, faults or rules.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Job:
    """One command: its arguments, the HUBSYNC_ settings, where it runs, and the time on its machine's clock (ISO)."""

    arguments: Sequence[str]
    settings: Mapping[str, str]
    folder: str
    now: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code (negative: the signal that killed it) and what it said."""

    code: int
    out: str
    err: str

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.code < 0


class Runner:
    """Starts commands, one at a time. A context manager; its warm process ends with it."""

    def __enter__(self) -> Self:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HUBSYNC_")} | {"PYTHONPATH": str(ROOT)}
        self._warm = subprocess.Popen(
            [sys.executable, "-c", "from tests.chaos.runner import serve; serve()"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._warm.communicate()

    def start(self, job: Job) -> int:
        """Start a command; its process id."""
        self._job = job
        stdin, stdout = self._pipes()
        stdin.write(json.dumps(asdict(job)) + "\n")
        stdin.flush()
        return int(stdout.readline())

    def wait(self) -> Ended:
        """Wait until the command has ended."""
        code = int(self._pipes()[1].readline())
        said = [Path(self._job.folder, name).read_text(errors="replace") for name in ("stdout", "stderr")]
        return Ended(code, *said)

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._warm.stdin is not None
        assert self._warm.stdout is not None
        return self._warm.stdin, self._warm.stdout


def serve() -> None:
    """Run jobs from stdin until it closes: answers each with the process id, then with the exit code."""
    import hubsync.cli.audit
    import hubsync.cli.sync
    import hubsync.store.database  # noqa: F401  (whatever a command imports late is here before the fork)

    for line in sys.stdin:
        job = Job(**json.loads(line))
        child = os.fork()
        if child == 0:
            _become(job)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(job: Job) -> None:
    """The child: `hubsync` with the job's arguments, and its end."""
    os.chdir(job.folder)
    os.environ |= job.settings
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    code = 70
    try:
        code = _hubsync(job)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _hubsync(job: Job) -> int:
    from hubsync.cli import build
    from hubsync.cli.main import run
    from hubsync.policy import tuning
    from hubsync.portal.gateway import Gateway
    from tests.sync.desk import Patience

    tuning.TOO_MANY = 1.0  # else edits of some contacts would end what a rule does to all
    patience, now = Patience(), datetime.fromisoformat(job.now)
    build.local_now = lambda: now
    build.Gateway = functools.partial(  # type: ignore[assignment,attr-defined]
        Gateway, clock=patience.clock, sleep=patience.sleep, now=lambda: now
    )
    return run(job.arguments)
