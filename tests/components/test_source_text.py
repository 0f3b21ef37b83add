"""What of a Python file its digest sees: the code, on every Python alike."""

import io
import itertools
import textwrap
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.images import ROOT
from components.source_text import code_of, imports

MODULE = '''
"""What it is for."""

from components.settings import Settings, parameter


class Sizes(Settings):
    """Sizes."""

    width: int = parameter(3, "Width of a photo.", unit="px", at_least=1)  # of the camera

    def area(self):
        """Returns the area."""
        text = "a # b"  # c

        return f"{self.width} # {text}"


LINES = """
one

# two
"""
'''


def code(text: str) -> str:
    return code_of(text.encode()).decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("What it is for.", "Another text,\n\nof three lines: ä."),
        ('"""Sizes."""', "'Sizes'"),
        ("Returns the area.", "Returns it."),
        ("  # of the camera", ""),
        ("# c", "# another # comment"),
        ("\n\n        return", "\n        # the text\n\n\n        return"),
        ('"Width of a photo."', '"Another help."'),
        ('"Width of a photo."', 'f"Width of {1 + 1} photos"'),
        ('"Width of a photo."', '"Wi" "dth"'),
        (', "Width of a photo."', ', help="Width"'),
        (
            '3, "Width of a photo.", unit="px",',
            '\n        3,  # why\n        "Width",\n        # what\n        unit="px",\n       ',
        ),
    ],
)
def test_what_cannot_change_a_result_is_not_seen(old: str, new: str) -> None:
    assert old in MODULE
    assert code(MODULE.replace(old, new)) == code(MODULE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("parameter(3,", "parameter(4,"),
        ("at_least=1", "at_least=2"),
        ('unit="px"', 'unit="m"'),
        ("a # b", "a # c"),
        ("} # {", "} # and {"),
        ("# two", "# three"),  # it is in a text
        ("one\n\n", "one\n"),  # a blank line, too
        ("return f", "y = f"),
        ("    def area", "def area"),
    ],
)
def test_everything_else_is_seen(old: str, new: str) -> None:
    assert old in MODULE
    assert code(MODULE.replace(old, new)) != code(MODULE)


def test_the_code_of_a_module_is_what_is_left_of_its_lines() -> None:
    """Written out, so that another Python that finds other positions fails here."""
    expected = """\
        from components.settings import Settings, parameter
        class Sizes(Settings):
            width: int = parameter3unit="px"at_least=1
            def area(self):
                text = "a # b"
                return f"{self.width} # {text}"
        LINES = \"\"\"
        one

        # two
        \"\"\""""
    assert code(MODULE) == textwrap.dedent(expected)


@given(st.lists(st.sampled_from(["#", "'", '"', "ä", " ", "\\\\", "{{", "\n"])).map("".join), st.sampled_from(["", "f", "b"]))
def test_a_text_is_kept_whatever_is_in_it(content: str, prefix: str) -> None:
    text = f'{prefix}"""{content.replace(chr(34), "")}"""'
    if prefix == "b":
        text = text.replace("ä", "a")
    assert code(f"x = {text}  # note\n") == f"x = {text}"


@pytest.mark.parametrize("path", sorted((ROOT / "components").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_number_and_text_of_our_code_is_left(path: Path) -> None:
    source = path.read_bytes()
    if path.name != "settings.py":  # there nothing is left of the brackets and helps of parameters
        assert tokens(code_of(source)) == tokens(source)


def tokens(source: bytes) -> list[str]:
    """The tokens of a module but for comments, line ends and texts that are statements of their own."""
    layout = (tokenize.ENCODING, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    found = [each for each in tokenize.tokenize(io.BytesIO(source).readline) if each.type not in (tokenize.COMMENT, tokenize.NL)]
    return [
        each.string
        for before, each in itertools.pairwise(found)
        if each.type not in layout and not (each.type == tokenize.STRING and before.type in layout)
    ]


def test_imports_inside_functions_are_found() -> None:
    source = b"import a.b\n\ndef f():\n    from .. import c, d\n    from e.f import g as h\n"
    assert sorted(imports(source)) == [(0, "a.b", []), (0, "e.f", ["g"]), (2, "", ["c", "d"])]
