"""What a person sees on a page under test."""


def text_of(page):
    """Everything a person can read on the page, as one text."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "info")
    parts = [one.value for kind in (*kinds, "success") for one in getattr(page, kind)]
    parts += [metric.value for metric in page.metric]
    parts += [frame.value.to_string() for frame in (*page.dataframe, *page.table)]
    return "\n".join(str(part) for part in parts).replace("\\", "")


def button(page, label):
    """The button whose label starts with `label`."""
    found = [one for one in page.button if one.label.startswith(label)]
    assert found, f"no button {label!r} among {[one.label for one in page.button]}"
    return found[0]


def field(page, label):
    """The text input or area with this label."""
    found = [one for one in (*page.text_input, *page.text_area) if one.label.startswith(label)]
    assert found, f"no field {label!r} among {[one.label for one in page.text_input]}"
    return found[0]
