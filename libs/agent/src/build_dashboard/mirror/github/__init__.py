"""GitHub Actions: a mirror of a repository's workflows by GitHub's REST API."""
