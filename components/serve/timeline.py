"""Puts one plant's photos on a time line: days since the first, and a strip of them as one HTML page that needs no network."""

import base64
import dataclasses
import html
import io
import itertools
import string
from collections.abc import Sequence
from pathlib import Path

from components.resize_images.picture import decode_picture
from components.serve.models.predictor import Answer, Photo, Predictor

PAGE = Path(__file__).with_name("timeline.html")
THUMBNAIL_PX, THUMBNAIL_QUALITY = 240, 78


@dataclasses.dataclass(frozen=True)
class Moment:
    """A photo on a time line: its name, and its days since the first; None of the first itself."""

    name: str
    answer: Answer | None

    @property
    def days(self) -> float:
        """Days since the first."""
        return self.answer.days if self.answer else 0.0


def timeline(predictor: Predictor, photos: Sequence[tuple[str, Photo]], species: str = "", series: str = "") -> list[Moment]:
    """Returns the photos of a plant with their days since the first of them, in the order in which they are given.

    Args:
        predictor: the models.
        photos: name and features of each.
        species, series: as `Predictor.between` has them.
    """
    (name, first), *later = photos
    answers = predictor.between([(first, photo) for _, photo in later], species, series) if later else []
    return [Moment(name, None), *(Moment(name, answer) for (name, _), answer in zip(later, answers, strict=True))]


def out_of_order(moments: Sequence[Moment]) -> list[str]:
    """Returns a warning for each photo that is put before the one that it was given after."""
    return [
        f"{later.name} is put at day {later.days:.1f}, before {earlier.name} at {earlier.days:.1f}, which came before it"
        for earlier, later in itertools.pairwise(moments)
        if later.days < earlier.days
    ]


def timeline_page(title: str, moments: Sequence[Moment], contents: Sequence[bytes], notes: Sequence[str]) -> str:
    """Returns the page: an axis of days, and the photos under it.

    Args:
        title: of the page.
        moments: the time line.
        contents: the photos' bytes, in the same order.
        notes: what is said below.
    """
    longest = max(moment.days for moment in moments) or 1.0
    marks = "".join(
        f'<i style="left:{100 * moment.days / longest:.2f}%" title="{html.escape(moment.name)}"></i>' for moment in moments
    )
    cards = "".join(
        f'<figure><img src="{thumbnail(content)}" alt="{html.escape(moment.name)}"><figcaption><b>{moment.days:.1f}</b> days'
        f"<span>{html.escape(moment.name)}</span></figcaption></figure>"
        for moment, content in zip(moments, contents, strict=True)
    )
    return string.Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        first=html.escape(moments[0].name),
        longest=f"{longest:.1f}",
        marks=marks,
        cards=cards,
        notes="".join(f"<li>{html.escape(note)}</li>" for note in notes),
    )


def thumbnail(content: bytes) -> str:
    """Returns a photo, made small, as a JPEG data URI."""
    small = decode_picture(content).image
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")
