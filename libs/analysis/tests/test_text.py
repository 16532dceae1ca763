"""Lines without what terminals put around them."""

from build_analysis.text import last_overwrite, strip_ansi


def test_colours_titles_and_links_are_removed() -> None:
    """SGR, erase, OSC titles and hyperlinks leave only the text."""
    line = "\x1b[1m\x1b[31merror:\x1b[0m\x1b[K \x1b]8;;http://x\x1b\\link\x1b]8;;\x07 \x1b(Bend"

    assert strip_ansi(line) == "error: link end"


def test_plain_lines_are_returned_as_they_are() -> None:
    """A line without ESC is not even copied."""
    line = "plain [31m text"

    assert strip_ansi(line) is line


def test_the_last_overwrite_is_what_a_terminal_shows() -> None:
    """Progress written over with carriage returns shows its last state; CRLF changes nothing."""
    assert last_overwrite("10%\r20%\r30%") == "30%"
    assert last_overwrite("text\r") == "text"
