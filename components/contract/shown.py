"""Shows text that comes from data, such as a file's name, so that it cannot command a terminal, nor pass for another line."""

import re
from typing import Any

# Control characters, the line ends of Unicode, the marks that reverse text, and bytes of a name that are no UTF-8.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
LINE = re.compile(f"[\t\n]|{UNSAFE.pattern}")
OUR_OWN = re.compile(r"\r?(\x1b\[K)?")  # what progress bars begin with: back to the line's start, and clear it


class Screen:
    """A text stream that escapes what is no text; all else is the stream's own."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """As the stream's."""
        begin = OUR_OWN.match(text).end()  # type: ignore[union-attr]  # it matches everything
        self.stream.write(text[:begin] + shown(text[begin:]))
        return len(text)


def shown(text: str) -> str:
    """Returns a text of several lines with the characters escaped that are no text, as Python writes them."""
    return UNSAFE.sub(escape, text)


def one_line(text: str) -> str:
    """Returns a text that is meant to be one line, with line ends and tabs escaped, too."""
    return LINE.sub(escape, text)


def escape(match: re.Match[str]) -> str:
    """Returns a character as Python writes it."""
    return match[0].encode("unicode_escape").decode("ascii")
