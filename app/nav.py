"""The list of pages: where each lies, what it is called, who may open it."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from core.access import Actor, may

FOLDER = Path(__file__).resolve().parent.parent / "pages"


@dataclass(frozen=True, slots=True)
class Entry:
    """One page. `action` is what one must be allowed to do to open it; None: everybody may."""

    stem: str
    title: str
    section: str
    action: str | None = None
    listed: bool = True


ENTRIES = (
    Entry("inbox", "Inbox", "Now"),
    Entry("recommendation", "Recommendation", "Now", listed=False),
    Entry("incidents", "Incidents", "Now"),
    Entry("drift", "Drift", "Watch"),
    Entry("performance", "Performance", "Watch"),
    Entry("drills", "Fire drill", "Watch"),
    Entry("training", "Training", "Models", "run.request"),
    Entry("data", "Data", "Models", "dataset.load"),
    Entry("models", "Models", "Models"),
    Entry("releases", "Releases", "Models"),
    Entry("experiments", "Experiments", "Models"),
    Entry("try_it", "Try it", "Models"),
    Entry("automation", "Automation", "System"),
    Entry("audit", "Audit", "System"),
    Entry("admin", "Admin", "System", "user.change"),
)
LANDING = "inbox"
BY_STEM = {entry.stem: entry for entry in ENTRIES}


def may_open(actor: Actor, entry: Entry) -> bool:
    """Say whether the page's own action is allowed."""
    return entry.action is None or may(actor, entry.action)


def page(stem: str, actor: Actor | None = None) -> Page:
    """Return the page; every page is registered for everybody, only its visibility changes."""
    entry = BY_STEM[stem]
    shown = actor is not None and entry.listed and may_open(actor, entry)
    return st.Page(
        FOLDER / f"{stem}.py",
        title=entry.title,
        default=stem == LANDING,
        url_path="start" if stem == LANDING else None,  # leaves /inbox free for the alias
        visibility="visible" if shown else "hidden",
    )


def sections(actor: Actor | None) -> dict[str, list[Page]]:
    """Return all pages, by section of the menu."""
    found: dict[str, list[Page]] = {}
    for entry in ENTRIES:
        found.setdefault(entry.section, []).append(page(entry.stem, actor))
    alias = st.Page(
        FOLDER / "inbox.py", title="Inbox", url_path="inbox", visibility="hidden"
    )  # the default page answers to "/" only
    found["Now"].append(alias)
    return found
