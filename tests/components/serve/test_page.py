"""The server's page in a browser, wide and narrow: photos chosen, days on the screen, a broken one named, the keyboard alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, chromium, request
from served_model import photo, write_models
from serving import serving

from components.serve.models.bundle import write_bundle
from components.serve.models.predictor import Predictor

SIZES = {"wide": (1280, 900), "narrow": (360, 740)}
ENTER, TAB = "\ue007", "\ue004"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("photos")
    contents = {"first.png": photo(0), "second.jpg": photo(1, kind="JPEG"), "third.png": photo(2), "broken.png": photo(3)[:-40]}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> tuple[Path, list[str]]:
    """A published model, and what it says of the days from the first photo to the second and the third, as the page shows it."""
    place = tmp_path_factory.mktemp("page")
    bundle = write_models(place / "models", models=1)
    write_bundle(bundle, place / "published")
    predictor = Predictor(bundle)
    one, two, three = predictor.photos([(name, photos[name].read_bytes()) for name in ("first.png", "second.jpg", "third.png")])
    days = [each.days for each in predictor.between([(one, two), (one, three)], "LT")]
    assert f"{days[0]:.1f}" != f"{days[1]:.1f}"
    return place / "published", [f"{each:.1f} days" for each in days]


@pytest.fixture(scope="module")
def page(expected: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, str]]:
    place = tmp_path_factory.mktemp("browser")
    with serving(expected[0], place / "log") as server, chromium(place) as browser:
        yield browser, server.address


def choose(browser: Browser, *paths: Path) -> None:
    element = browser.find("//input[@id='files']")
    request(f"{browser.session}/element/{element}/value", {"text": "\n".join(map(str, paths))})


def press(browser: Browser, keys: str) -> None:
    """Presses keys one after the other, wherever the page's focus is."""
    actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
    request(browser.session + "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})


def shown(browser: Browser, id_: str) -> str:
    return browser.script("return document.getElementById(arguments[0]).innerText", id_)


def nothing_is_cut(browser: Browser) -> bool:
    return browser.script("return document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("size", SIZES)
def test_two_photos_give_their_days_and_a_third_a_time_line(
    page: tuple[Browser, str], photos: dict[str, Path], expected: tuple[Path, list[str]], size: str, tmp_path: Path
) -> None:
    browser, address = page
    browser.resize(*SIZES[size])
    browser.open(address)
    assert nothing_is_cut(browser)
    choose(browser, photos["first.png"], photos["second.jpg"])
    browser.find("(//ol[@id='strip']/li)[2]")
    browser.script("document.getElementById('species').value = 'LT'")
    browser.click("//button[@id='ask']")
    browser.wait(lambda: shown(browser, "said") == expected[1][0], expected[1][0])
    browser.wait_for_text("calibration: 1.1 for LT", "first.png", "second.jpg")
    choose(browser, photos["third.png"])
    browser.wait(lambda: shown(browser, "said") == "", "no days of photos that were not asked about")
    browser.click("//button[@id='ask']")
    browser.wait(lambda: shown(browser, "said") == expected[1][1], expected[1][1])
    labels = browser.script("return [...document.querySelectorAll('#strip b')].map(each => each.innerText)")
    assert labels == ["0.0 days", *expected[1]]
    places = browser.script("return [...document.querySelectorAll('#line i')].map(each => parseFloat(each.style.left))")
    days = [0.0, *(float(each.split()[0]) for each in expected[1])]
    assert places == pytest.approx([100 * each / max(days) for each in days], abs=0.5)
    assert (shown(browser, "earliest"), shown(browser, "latest")) == ("day 0", f"day {max(days):.1f}")
    assert nothing_is_cut(browser)
    browser.script("document.getElementById('cadence').value = '1'")  # which these models, that date no photo, cannot use
    browser.click("//button[@id='ask']")
    browser.wait_for_text("cadence_days=1: the models have a head that dates no photo.")
    browser.picture(tmp_path / f"{size}.png")


@pytest.mark.parametrize("size", SIZES)
def test_a_broken_photo_is_named_and_marked_and_the_rest_can_still_be_asked(
    page: tuple[Browser, str], photos: dict[str, Path], size: str
) -> None:
    browser, address = page
    browser.resize(*SIZES[size])
    browser.open(address)
    choose(browser, photos["first.png"], photos["broken.png"], photos["second.jpg"])
    browser.click("//button[@id='ask']")
    browser.wait_for_text("photo 2, broken.png: cannot be decoded as a photo: ", "Expected an 8-bit PNG or JPEG.")
    marked = browser.script("return [...document.querySelectorAll('#strip li')].map(each => each.className)")
    assert marked == ["", "bad", ""]
    assert nothing_is_cut(browser)
    browser.click("//button[@aria-label='broken.png: remove']")
    browser.click("//button[@id='ask']")
    browser.wait(lambda: shown(browser, "said").endswith(" days"), "the days of the two that are left")
    assert shown(browser, "trouble") == ""


def test_the_keyboard_is_enough(page: tuple[Browser, str], photos: dict[str, Path]) -> None:
    browser, address = page
    browser.resize(*SIZES["wide"])
    browser.open(address)
    choose(browser, photos["first.png"], photos["second.jpg"])
    browser.find("(//ol[@id='strip']/li)[2]")
    browser.script("document.getElementById('species').focus()")
    press(browser, "LT" + ENTER)
    browser.wait(lambda: shown(browser, "said").endswith(" days"), "days after Enter")
    reached = set()
    browser.script("document.activeElement.blur()")
    for _ in range(15):
        press(browser, TAB)
        reached.add(browser.script("const found = document.activeElement; return found.id || found.ariaLabel || found.innerText"))
    assert {
        "files",
        "camera",
        "species",
        "cadence",
        "ask",
        "clear",
        "first.png: later",
        "second.jpg: earlier",
        "first.png: remove",
    } <= reached
    names = "return [...document.querySelectorAll('#strip p')].map(each => each.innerText)"
    browser.script("document.querySelector('[aria-label=\"second.jpg: earlier\"]').focus()")
    press(browser, ENTER)
    browser.wait(lambda: browser.script(names) == ["second.jpg", "first.png"], "the photos in another order")
    assert shown(browser, "said") == ""


def test_the_interface_is_described_on_a_page_of_its_own(page: tuple[Browser, str]) -> None:
    browser, address = page
    browser.open(address + "/docs")
    browser.wait_for_text("/v1/models/verdelta:predict", "/v2/models/verdelta/infer", "PredictRequest")
