"""`python -m build_dashboard` is `build-dashboard`."""

from build_dashboard.cli.main import main

main()
