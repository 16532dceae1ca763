"""The documents as a site: those at the repository's root come along, and what is no document is named, not linked."""

import re
from pathlib import Path
from posixpath import join, normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
AT_THE_ROOT = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the documents at the root, under their own names."""
    for name in AT_THE_ROOT:
        files.append(File.generated(config, name, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  a hook's signature
    """Links as they hold within the site. Raises PluginError where one leads to no file of the repository."""
    folder = "" if page.file.src_uri in AT_THE_ROOT else join("docs", page.file.src_uri.rpartition("/")[0])

    def within(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = normpath(join(folder, target))
        if not (ROOT / path).exists():
            raise PluginError(f"{page.file.src_uri}: {target} is no file of the repository")
        site = path.removeprefix("docs/") if path.startswith("docs/") else path if path in AT_THE_ROOT else None
        if site is None or files.get_file_from_path(site) is None:
            return f"{text} (`{path}`)"
        up = "../" * page.file.src_uri.count("/")
        return f"[{text}]({up}{site}{anchor})"

    return LINK.sub(within, markdown)
