# SPDX-License-Identifier: MIT
"""Start and stop the services by hand: ``python -m tests.services start|stop FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from .everything import service_environment, start_services, stop_services
from .processes import HarnessError


def main(words: list[str]) -> int:
    """Run one command and return the exit status."""
    if len(words) != 2 or words[0] not in ("start", "stop"):
        print("usage: python -m tests.services start|stop FOLDER", file=sys.stderr)
        return 2
    verb, folder = words[0], Path(words[1]).absolute()
    try:
        if verb == "start":
            start_services(folder)
            for name, value in service_environment(folder).items():
                print(f"export {name}={value}")
        else:
            stop_services(folder)
    except HarnessError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
