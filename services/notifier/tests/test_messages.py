"""Messages: what they show, and what nobody can make them show."""

import re

import pytest
from build_notifier.messages import render
from build_notifier.messages.message import LogLine, StillRed, source_url
from build_notifier.messages.text import clean, duration, one_line
from build_notifier.records.branch import evidence_of
from build_protocol.messages import FailureData

NASTY = "<script>alert(1)</script>\r\nBcc: x@example.com {{7*7}} {{{x}}} \x1b[31mred\x1b[0m \u202eevil @octocat ```"


@pytest.fixture
def message(claim):
    return claim().message


def with_failure(about, **fields):
    facts = {"category": "compile", "message": "boom", "first_line": 120, **fields}
    return about.model_copy(update={"evidence": about.evidence.model_copy(update={"failure": FailureData(**facts)})})


def test_the_mail_shows_what_where_who_and_how_long(message):
    """Both parts carry the error, its place, the extract, the suspects, the duration and the exact line's link."""
    message = with_failure(message, file="lib/a.cpp", line=7)

    for text in (render.plain(message), render.html(message)):
        assert "main is broken on release" in text
        assert "boom" in text
        assert "lib/a.cpp:7" in text
        assert "a.cpp:7: error s" in text
        assert "Suspects: 1 commit since the last good build, by Author 2." in text
        assert "30 min" in text
        assert f"/builds/{message.evidence.build_id}#L120" in text


def test_an_unknown_range_is_named_unknown(message):
    """Absent is unknown, never empty; an empty range is named too."""
    unknown = render.plain(message.model_copy(update={"suspects": None, "suspect_count": 0}))
    empty = render.plain(message.model_copy(update={"suspects": [], "suspect_count": 0}))

    assert "Suspects: unknown" in unknown
    assert "no new commit" in empty


def test_nothing_a_build_prints_becomes_markup(message):
    """HTML is escaped, escapes and direction marks are gone, templates are not filled in."""
    nasty = with_failure(message, message=NASTY, file=NASTY)
    nasty = nasty.model_copy(
        update={
            "branch": NASTY,
            "configs": [NASTY],
            "extract": [LogLine(number=1, text=clean(NASTY, 300))],
            "suspects": [message.suspects[0].model_copy(update={"author": NASTY, "subject": NASTY})],
        }
    )

    for text in (render.html(nasty), render.plain(nasty), render.chat(nasty), nasty.subject):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "49" not in re.sub(r"[0-9a-f-]{30,}|L\d+", "", text).replace("2023", "")
    assert "<script>" not in render.html(nasty)
    assert "&lt;script&gt;" in render.html(nasty)


def test_a_subject_is_one_line(message):
    """No message, branch or config can add a header."""
    nasty = with_failure(message, message=NASTY).model_copy(update={"branch": NASTY})

    assert not {"\r", "\n"} & set(nasty.subject)
    assert len(nasty.subject) <= 120


def test_a_comment_mentions_nobody_and_keeps_its_fence(message):
    """Build output stands in a fence it cannot close; a branch name is shown, not obeyed."""
    nasty = with_failure(message, message=NASTY).model_copy(
        update={"branch": "@octocat [x](http://evil)", "extract": [LogLine(number=1, text="```` @octocat")]}
    )
    title, _, rest = render.comment(nasty).partition("\n")

    assert "@octocat" not in title
    assert "](http://evil)" not in title
    found = re.search(r"^(`+)$", rest, re.MULTILINE)
    assert found is not None
    fence = found[1]
    assert len(fence) == 5


def test_a_digest_lists_what_is_still_broken(message):
    """One line per incident with its age and its log line."""
    item = StillRed(branch="main", configs=list("abcde"), message="boom", build_id="b", line=3, open_ms=90_000_000)
    digest = message.model_copy(update={"kind": "digest", "items": [item], "evidence": None, "extract": []})

    for text in (render.plain(digest), render.html(digest), render.chat(digest)):
        assert "boom" in text
    assert "a, b, c and 2 more, for 1 d 1 h" in render.plain(digest)
    assert "https://builds.example.com/builds/b#L3" in render.plain(digest)


def test_a_summary_lists_what_became_of_each(message):
    """One line per incident: what happened to it, and for how long it was broken."""
    item = StillRed(
        branch="main", configs=["a"], message="boom", build_id="b", line=3, open_ms=7_200_000, news="opened, fixed"
    )
    summary = message.model_copy(update={"kind": "summary", "items": [item], "evidence": None, "extract": []})

    assert "main: what happened to 1 incident meanwhile" in summary.subject
    for text in (render.plain(summary), render.html(summary), render.chat(summary)):
        assert "boom" in text
        assert "opened, fixed" in text
    assert "main on a, opened, fixed after 2 h" in render.plain(summary)


def test_a_build_without_a_branch_is_labelled_so(message):
    """One label, wherever it is read; nobody takes it for a name."""
    bare = message.model_copy(update={"branch": None})

    assert "(no branch) is broken on release" in bare.subject


@pytest.mark.parametrize(
    "kind", ["opened", "changed", "reopened", "fixed", "overridden", "missing", "returned", "status"]
)
@pytest.mark.parametrize("has_failure", [True, False])
def test_every_kind_is_rendered_in_every_medium(message, kind, has_failure):
    """Whatever is known or unknown, there is something to read and no hole in the text."""
    bare = message.model_copy(update={"kind": kind, "red_ms": 1000, "succeeded": False, "extract": []})
    if not has_failure:
        unknown = {"failure": None, "commit": None, "duration_ms": None, "agent": None}
        bare = bare.model_copy(update={"evidence": bare.evidence.model_copy(update=unknown), "suspects": None})

    for text in (render.plain(bare), render.html(bare), render.chat(bare), render.comment(bare), bare.subject):
        assert "None" not in text
        assert "\n\n\n" not in text


def test_the_source_is_linked_where_the_project_names_a_template(builds):
    """Commit, file and line are filled in; a path of the build machine, or an unknown line, makes no link."""
    template = "https://example.com/blob/{commit}/{file}#L{line}"

    def link(**fields):
        failure = builds.failure("s", **{"file": "lib/a b.cpp", "line": 7, **fields})
        return source_url(template, evidence_of(builds.verdict(2, "failed", first_failure=failure)))

    assert link() == f"https://example.com/blob/{builds.sha(2)}/lib/a%20b.cpp#L7"
    assert link(file="/home/ci/a.cpp") is None
    assert link(line=None) is None


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "0 s"),
        (42_000, "42 s"),
        (1_865_000, "31 min 5 s"),
        (7_200_000, "2 h"),
        (8_040_000, "2 h 14 min"),
        (273_600_000, "3 d 4 h"),
        (86_460_000, "1 d"),
    ],
)
def test_durations_are_shown_in_two_units(milliseconds, shown):
    """The two largest units; what lies below is noise."""
    assert shown == duration(milliseconds)


def test_text_is_bounded():
    """A megabyte line is cut, visibly."""
    assert one_line("x" * 1_000_000, 10) == "xxxxxxxxx…"
