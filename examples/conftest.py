"""The tests of `toolbox` belong to its breakages, which run them."""

collect_ignore_glob = ["toolbox/*"]
