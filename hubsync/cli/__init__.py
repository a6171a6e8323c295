"""The command line: one module per command, each imported when its command runs.

It builds objects from settings, hands plain values down, prints, and is the only place that exits.
"""

from hubsync.cli.main import main as main
