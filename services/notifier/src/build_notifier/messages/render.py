"""Rendering: a message as a mail (HTML and plain text), as a chat message, as a comment on a pull request."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from build_notifier.messages.actions import Deed
from build_notifier.messages.message import LogLine, Message, build_url
from build_notifier.messages.text import counted, duration, inert, one_line

COMMITS_SHOWN = 5
CONFIGS_SHOWN = 12

NO_ACTS: Mapping[Deed, str] = {}
"""Where a message is only shown, it has no links that act."""

_EMPTY_LINES = re.compile(r"\n{3,}")
_FILTERS = {"duration": duration, "one_line": one_line, "counted": counted, "inert": inert}
_LOADER = PackageLoader("build_notifier.messages")


def _environment(*, autoescape: bool) -> Environment:
    environment = Environment(
        loader=_LOADER,
        autoescape=autoescape,  # noqa: S701  off only for plain text, where an escaped `<` would be read as `&lt;`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters |= _FILTERS
    return environment


_MARKUP = _environment(autoescape=True)
_PLAIN = _environment(autoescape=False)


def html(message: Message, acts: Mapping[Deed, str] = NO_ACTS) -> str:
    """The mail as HTML; everything a build printed or a commit has is escaped."""
    return _MARKUP.get_template("mail.html.j2").render(_words(message) | {"acts": acts})


def plain(message: Message, acts: Mapping[Deed, str] = NO_ACTS) -> str:
    """The mail as plain text."""
    return _tidy(_PLAIN.get_template("mail.txt.j2").render(_words(message) | {"acts": acts}))


def chat(message: Message) -> str:
    """A few lines for a chat room; its title is the message's subject."""
    lines = [message.message, message.location]
    if message.is_break:
        lines.append(suspects(message))
    if message.kind == "fixed" and message.red_ms is not None:
        lines.append(f"It was broken for {duration(message.red_ms)}.")
    lines += [
        one_line(
            f"- {item.branch} on {', '.join(item.configs[:3])}{': ' + item.news if item.news else ''}: {item.message}",
            300,
        )
        for item in message.items
    ]
    lines.append(message.build_url)
    return "\n".join(line for line in lines if line)


def comment(message: Message) -> str:
    """A comment in GitHub's Markdown; build output stands in a fence it cannot close."""
    return _tidy(_PLAIN.get_template("comment.md.j2").render(_words(message) | {"fence": _fence(message)}))


def check(message: Message, owners: Sequence[str], took: str) -> str:
    """The summary of a check run in GitHub's Markdown: nobody whom it names is notified."""
    words = {"message": message, "fence": _fence(message), "owners": owners, "took": took}
    return _tidy(_PLAIN.get_template("check.md.j2").render(words))


def suspects(message: Message) -> str:
    """Who may be to blame, in one sentence."""
    if message.suspects is None:
        return "Suspects: unknown (the agent sent no commits since the last good build)."
    if not message.suspects:
        return "Suspects: no new commit since the last good build."
    authors = list(dict.fromkeys(one_line(commit.author or "unknown", 60) for commit in message.suspects))
    named = ", ".join(authors[:COMMITS_SHOWN])
    if len(authors) > COMMITS_SHOWN:
        named += f" and {len(authors) - COMMITS_SHOWN} more"
    return f"Suspects: {counted(message.suspect_count, 'commit')} since the last good build, by {named}."


def _words(message: Message) -> dict[str, object]:
    commits = message.suspects or []
    return {
        "message": message,
        "at": datetime.fromtimestamp(message.at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "suspects": suspects(message),
        "commits": commits[:COMMITS_SHOWN],
        "commits_more": max(0, message.suspect_count - min(len(commits), COMMITS_SHOWN)),
        "configs": [one_line(config, 60) for config in message.configs[:CONFIGS_SHOWN]],
        "configs_more": max(0, len(message.configs) - CONFIGS_SHOWN),
        "build_url": build_url,
        "is_bad": message.is_break or message.kind in ("missing", "digest", "summary"),
        "extract": [(line, _without_place(line, message)) for line in message.extract],
        "width": max((len(str(line.number)) for line in message.extract), default=1),
    }


def _without_place(line: LogLine, message: Message) -> str:
    """The line; of the one that has the error, from the error on: its place stands above, and a phone is narrow."""
    at = line.text.find(message.message) if line.is_hit and message.message and message.location else -1
    return line.text[at:] if at > 0 else line.text


def _tidy(text: str) -> str:
    """The text without the empty lines that parts of a template leave which had nothing to show."""
    return _EMPTY_LINES.sub("\n\n", text.strip()) + "\n"


def _fence(message: Message) -> str:
    fence = "```"
    while any(fence in line.text for line in message.extract) or fence in message.message:
        fence += "`"
    return fence
