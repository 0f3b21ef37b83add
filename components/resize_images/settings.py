"""What a person can choose of how raw photos are stored."""

import dataclasses

from components.settings import Settings, parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResizeImagesSettings(Settings):
    """Raw photos to JPEGs of one size."""

    image_size: int = parameter(
        1024,
        "Width and height of the stored JPEGs; the aspect ratio is not kept.",
        unit="px",
        at_least=16,
        at_most=8192,
        why="one photo of 8192 px takes 200 MB of memory in each worker that resizes",
    )
    jpeg_quality: int = parameter(75, "JPEG quality of the stored photos.", at_least=1, at_most=95)
    on_bad_photo: str = parameter(
        "fail",
        "What a photo that cannot be decoded does: end the run, or be left out, counted and reported.",
        choices=("fail", "skip"),
    )
    days_from: str = parameter(
        "name",
        "Where a train photo's day is said: in its name, its EXIF data, or train_dataset/days.csv; a series that is there is "
        "read from there by default, too.",
        choices=("name", "exif", "table"),
    )
    on_equal_photos: str = parameter(
        "fail",
        "What photos of equal bytes in two train series, or in both sets, do: end the run, or be reported.",
        choices=("fail", "report"),
    )
