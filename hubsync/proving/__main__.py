"""A proof for a process that has no time for one: `python -m hubsync.proving DIR`.

Prints one JSON line: `rules` (the digest of the files as they were read), how many `faults` there are and how much is
left `unproved`, and the `first` of all that, with file:line; or why it `failed`. Ends at once when standard input is
closed, and so with whoever asked.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import orjson

from hubsync.errors import HubsyncError
from hubsync.proving.ground import Ground
from hubsync.proving.prove import proved
from hubsync.proving.report import wrong
from hubsync.rulefiles.load import load_rules


def _end_with_stdin() -> None:
    os.read(0, 1)  # nobody writes: it ends with the file; unbuffered, so that no lock is held when we are done
    os._exit(1)


def answer(folder: Path) -> dict[str, Any]:
    """What there is to say of a folder's rules."""
    try:
        ground = Ground.of(load_rules(folder))
        verdict = proved(ground)
    except HubsyncError as error:
        return {"failed": str(error)}
    return {
        "rules": ground.loaded.digest,
        "faults": len(verdict.faults),
        "unproved": len(verdict.unproved),
        "first": next(wrong(ground, verdict), ""),
    }


def main() -> None:
    """Prove and say so."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    sys.stdout.buffer.write(orjson.dumps(answer(Path(sys.argv[1]))) + b"\n")


if __name__ == "__main__":
    main()
