import tomllib
from pathlib import Path

import pytest

CONFIG = tomllib.loads(
    (Path(__file__).parents[2] / "app" / ".streamlit" / "config.toml").read_text()
)
TEXTS = ("redTextColor", "orangeTextColor", "greenTextColor", "blueTextColor", "grayTextColor")


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """WCAG 2.2, contrast ratio; 4.5 is enough for text."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_buttons_and_selected_things_can_be_read(theme):
    colors = CONFIG["theme"][theme]
    assert contrast(colors["primaryColor"], "#FFFFFF") >= 4.5
    assert contrast(colors["primaryColor"], colors["backgroundColor"]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["textColor", "linkColor", *TEXTS])
def test_texts_can_be_read_on_both_surfaces(theme, name):
    colors = CONFIG["theme"][theme]
    for surface in ("backgroundColor", "secondaryBackgroundColor"):
        assert contrast(colors[name], colors[surface]) >= 4.5


def test_nothing_calls_home_and_no_traceback_is_shown():
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert CONFIG["client"]["showErrorLinks"] is False
    assert CONFIG["runner"]["magicEnabled"] is False
