"""`python server.py`: the development server, the embedded system from this checkout (same as `build-dashboard up`)."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent
# `pip install -r requirements.txt` installs no workspace package: find them where they lie.
for source in [*sorted(ROOT.glob("libs/*/src")), *sorted(ROOT.glob("services/*/src")), ROOT / "deploy/embedded/src"]:
    sys.path.insert(0, str(source))

from build_embedded.cli import main  # noqa: E402  the path above must come first

if __name__ == "__main__":
    main()
