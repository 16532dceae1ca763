"""The projects that are built have tests of their own, which are not ours."""

collect_ignore_glob = ["projects/*"]
