"""The actor's process of a rehearsal: `python -m robosac.rehearsal.process FOLDER SOCKET`."""

from __future__ import annotations

import sys
from pathlib import Path

from robosac.rehearsal.actor import main
from robosac.rehearsal.mind import start_learning

if __name__ == "__main__":
    folder, control = map(Path, sys.argv[1:])
    sys.exit(main(folder, control, start_learning))
