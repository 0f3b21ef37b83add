"""Shows text that comes from data, such as a file's name, so that it cannot command a terminal, nor pass for another line."""

import re

# Control characters, the line ends of Unicode, the marks that reverse text, and bytes of a name that are no UTF-8.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
LINE = re.compile(f"[\t\n]|{UNSAFE.pattern}")
NAMES = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def shown(text: str) -> str:
    """Returns a text of several lines with the characters escaped that are no text, as Python writes them."""
    return UNSAFE.sub(escape, text)


def one_line(text: str) -> str:
    """Returns a text that is meant to be one line, with line ends and tabs escaped, too."""
    return LINE.sub(escape, text)


def escape(match: re.Match[str]) -> str:
    """Returns a character as Python writes it."""
    character = match[0]
    code = ord(character)
    return NAMES.get(character) or (rf"\x{code:02x}" if code < 256 else rf"\u{code:04x}")
