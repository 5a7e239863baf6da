"""Shared pieces of the pages, and the one place where errors become words."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure
from streamlit.delta_generator import DeltaGenerator

from app import charts, nav
from app.session import NoAccessError
from core import releases, specs
from core.errors import NotFoundError, PilothouseError, UnavailableError
from core.panel import Panel

Color = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray", "grey", "primary"]
COLORS: dict[str, Color] = {
    **dict.fromkeys(("critical", "fail", "failed", "dead", "lost", "refused", "firing"), "red"),
    **dict.fromkeys(("high", "warn", "open", "invalid", "expired", "error"), "orange"),
    **dict.fromkeys(("medium", "running", "proposed", "queued", "acknowledged", "active"), "blue"),
    **dict.fromkeys(("pass", "current", "succeeded", "finished", "approved", "won"), "green"),
    **dict.fromkeys(("sent", "serves", "live", "resolved", "done", "ok"), "green"),
    **dict.fromkeys(("pending", "mitigating"), "blue"),
}
NOTHING = "-"
_APART = r"(?i)(?P<apart>:(?=//|material/|[a-z+_-][\w+-]*:)|(?<=www)\.|@)"
_MARKUP = re.compile(_APART + r"|[\\`*_{}\[\]()#+\-.!|<>$:~^&]")
_LINKS = re.compile(_APART + r"|[\\`*\[\]<$&]|:(?=[a-z])")
_CSS = """<style>
.st-key-cookie-machinery {position: absolute; width: 0; height: 0; overflow: hidden;}
.st-key-sign-in {margin: 8vh auto 0;}
[data-testid="stMainBlockContainer"] {padding-top: 3.5rem; max-width: 1200px;}
[data-testid="stMetricValue"] {font-variant-numeric: tabular-nums;}
.stMarkdown, .stText, code {overflow-wrap: anywhere;}
[data-testid="stPageLink"] a p {text-decoration: underline; text-underline-offset: 3px;}
[data-testid="stPageLink"] a, [data-testid="stPageLink"] a p {color: var(--st-link-color);}
[data-testid="stPageLink"] a {padding-left: 0;}
[data-testid="stPageLink"] a:not(:hover) {background: none;}
[data-testid="stPageLink"] a p {font-weight: 400;}
@media (max-width: 640px) {[data-testid="stMainBlockContainer"] {padding: 3.5rem 1rem 2rem;}}
</style>"""


def style() -> None:
    """Add the few rules that the theme cannot say."""
    st.html(_CSS)


@contextmanager
def reporting(*, page: bool = False) -> Iterator[None]:
    """Show an expected error in a person's words; anything else is reported by the server.

    With `page` the error takes the place of the page.
    """
    try:
        yield
    except NoAccessError as error:
        st.title("No access", anchor=False)
        st.info(plain(f"{error} Ask an admin, or go on to what needs you."))
        link("inbox", "Go to the inbox")
    except UnavailableError as error:
        st.error(plain(f"Not available: {error}."))
        st.caption("Predictions go on without the database. Nothing was changed.")
        st.button("Retry", key=f"retry-{page}")
    except NotFoundError as error:
        if page:
            st.title("Not found", anchor=False)
        old = " It may have been removed, or the link is old." if page else ""
        st.warning(plain(f"{sentence(str(error))}{old}"))
        if page:
            link("inbox", "Go to the inbox")
    except PilothouseError as error:
        st.error(plain(sentence(str(error))))


def done(message: str) -> None:
    """Run the page again with fresh data and say `message` once."""
    st.session_state["said"] = message
    st.rerun()


def announce() -> None:
    """Say what `done` left behind, if anything."""
    if message := st.session_state.pop("said", None):
        st.toast(plain(message))


def sentence(text: str) -> str:
    """Return `text` with a capital first letter and a full stop.

    The name of a model at its beginning stays as it is written.

    >>> sentence("there is no run 7"), sentence("sms_spam has no release")
    ('There is no run 7.', 'sms_spam has no release.')
    """
    text = text.strip()
    first = text[:1] if "_" in text.split(" ", 1)[0] else text[:1].upper()
    return (first + text[1:]).rstrip(".") + "." if text else ""


def plain(text: object) -> str:
    r"""Keep what people or messages wrote from acting as Markdown (links, images, colours).

    >>> plain("![x](http://a.b)")
    '\\!\\[x\\]\\(http:color[\\:]//a\\.b\\)'
    """
    return _MARKUP.sub(_harmless, str(text))


def unlinked(text: str) -> str:
    r"""Keep what others wrote from being a link, an image or code where a label is shown.

    >>> unlinked("Stop ![x](http://a.b) 2.0.0")
    'Stop !\\[x\\](http:color[\\:]//a.b) 2.0.0'
    """
    return _LINKS.sub(_harmless, text)


def _harmless(found: re.Match[str]) -> str:
    """Escape a character; one that makes a bare address a link stands in a span of its own.

    An escape alone does not help there: the browser looks for addresses once it is taken away.
    Within a colour that names none nothing changes for who reads or copies it.
    """
    return f":color[\\{found[0]}]" if found["apart"] else f"\\{found[0]}"


def head(title: str, finding: str, tone: Color = "gray", at: DeltaGenerator | None = None) -> None:
    """Show the page's name and the one sentence that states what was found, here or in `at`."""
    place = at or st.container()
    place.title(unlinked(title), anchor=False)
    place.markdown(f"{dot(tone)} **{plain(finding)}**")


def section(title: str) -> None:
    """Begin a part of the page."""
    st.header(title, anchor=False)


def count(n: int, one: str, many: str = "") -> str:
    """Say a number of things.

    >>> count(1, "decision"), count(1200, "decision"), count(2, "entry", "entries")
    ('1 decision', '1,200 decisions', '2 entries')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def p_value(p: float | None) -> str:
    """Show a p value; one that is tiny is not shown as zero.

    >>> p_value(0.0123), p_value(0.00001), p_value(None)
    ('0.0123', '< 0.0001', '-')
    """
    return "< 0.0001" if p is not None and p < 0.0001 else figure(p)


def dot(tone: Color) -> str:
    """Return a coloured dot as Markdown; the words beside it say the same."""
    return f":{tone}[●]"


def empty(what: str, next_step: str, stem: str | None = None, label: str = "") -> None:
    """Show that a list has nothing in it, and what to do about that."""
    with st.container(border=True):
        st.markdown(f"**{plain(what)}**  \n{plain(next_step)}")
        if stem:
            link(stem, label or nav.BY_STEM[stem].title)


def link(stem: str, label: str, **query: str) -> None:
    """Show a link to another page, with its address."""
    st.page_link(nav.page(stem), label=unlinked(label), query_params=query or None)


def pick_model(panel: Panel) -> str:
    """Let the person choose a model; the choice lives in the address as `?model=`.

    Raises: NotFoundError (no spec at all, or the address names an unknown model).
    """
    with panel.db.read() as db:
        found = specs.all_active(db)
        serving = {spec.name for spec in found if releases.find_current(db, spec.name)}
    found.sort(key=lambda spec: spec.name not in serving)  # what serves comes first
    titles = {spec.name: spec.title for spec in found}
    if not titles:
        raise NotFoundError("there is no model yet: apply a spec, or upload data under Data")
    asked = st.query_params.get("model")
    if asked is not None and asked != specs.canonical(asked):
        st.query_params["model"] = asked = specs.canonical(asked)
    if asked is not None and asked not in titles:
        raise NotFoundError(f"there is no model {asked}")
    names, last = list(titles), st.session_state.get("last_model")
    model = asked or (last if last in titles else names[0])
    chosen = st.selectbox(
        "Model",
        names,
        index=names.index(model),
        format_func=titles.__getitem__,
        key=f"model-{model}",  # the address decides, also when one goes back to an earlier one
        width=320,
    )
    st.session_state["last_model"] = st.query_params["model"] = chosen
    if chosen != model:
        for name in ("report", "id", "column"):  # what they name is another model's
            st.query_params.pop(name, None)
            st.session_state.pop(name, None)
        st.rerun()
    return chosen


def badge(word: str, tone: Color | None = None) -> None:
    """Show a state or a severity in its colour, or any few words in `tone`."""
    st.markdown(f":{tone or color(word)}-badge[{plain(word)}]", width="content")


def color(word: str) -> Color:
    """Return the colour of a state or a severity."""
    return COLORS.get(word, "gray")


def ago(moment: datetime, now: datetime) -> str:
    """Say how long ago, or in how long.

    >>> from datetime import timedelta
    >>> noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    >>> ago(noon - timedelta(minutes=5), noon), ago(noon + timedelta(hours=30), noon)
    ('5 min ago', 'in 30 h')
    """
    seconds = (now - moment).total_seconds()
    size, past = abs(seconds), seconds >= 0
    if size < 45:
        return "just now" if past else "in a moment"
    limits = ((90 * 60, 60, "min"), (48 * 3600, 3600, "h"), (float("inf"), 86400, "days"))
    number, unit = next((round(size / by), unit) for limit, by, unit in limits if size < limit)
    return f"{number} {unit} ago" if past else f"in {number} {unit}"


def when(moment: datetime | None, now: datetime) -> str:
    """Say when, relative and absolute."""
    return f"{ago(moment, now)} ({utc(moment)})" if moment else "never"


def utc(moment: datetime) -> str:
    """Say a moment in UTC.

    >>> utc(datetime(2030, 1, 1, 12, tzinfo=UTC))
    '2030-01-01 12:00:00 UTC'
    """
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def figure(value: object, digits: int = 4) -> str:
    """Show a number, or a dash where there is none.

    >>> figure(0.98765), figure(None), figure(1200), figure(True), figure(2e-06)
    ('0.9877', '-', '1,200', 'yes', '< 0.0001')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        least = 10**-digits
        return f"< {least:.{digits}f}" if 0 < value < least / 2 else f"{value:.{digits}f}"
    return NOTHING if value is None else str(value)


def with_interval(value: object, interval: Sequence[object] | None, n: object = None) -> str:
    """Show a number with its interval and the count it rests on.

    >>> with_interval(0.9, (0.85, 0.93), 200)
    '0.9000 (95 % interval 0.8500 to 0.9300, n = 200)'
    """
    notes = []
    if interval and len(interval) == 2 and None not in interval:
        notes.append(f"95 % interval {figure(interval[0])} to {figure(interval[1])}")
    if n is not None:
        notes.append(f"n = {figure(n)}")
    return f"{figure(value)} ({', '.join(notes)})" if notes else figure(value)


def table(
    rows: Iterable[Mapping[str, Any]],
    *,
    key: str | None = None,
    widths: Mapping[str, int] | None = None,
) -> None:
    """Show rows; the columns are those of the first one, some as wide as told (in pixels)."""
    frame = pd.DataFrame(list(rows))
    wide = {name: st.column_config.Column(width=pixels) for name, pixels in (widths or {}).items()}
    st.dataframe(frame, hide_index=True, width="stretch", key=key, column_config=wide)


def small_table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Show a few rows as a plain table, whose cells wrap; the first column names the row."""
    frame = pd.DataFrame([{k: plain(figure(v)) for k, v in row.items()} for row in rows])
    if len(frame):
        st.table(frame.set_index(frame.columns[0]))


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row fit for a table: figures rounded, inner mappings spelled out.

    >>> flat({"kind": "nb", "f1": 0.98765, "parameters": {"alpha": 0.1}})
    {'kind': 'nb', 'f1': '0.9877', 'parameters': 'alpha=0.1'}
    """
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={inner}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return " to ".join(figure(inner) for inner in value)
    return figure(value)


def is_dark() -> bool:
    """Say whether the person looks at the dark theme."""
    return st.context.theme.type == "dark"


def chart(figure: Figure, key: str, alt: str) -> None:
    """Show a figure; `alt` says what is in it for those who do not see it."""
    st.plotly_chart(figure, config=charts.CONFIG, key=key, alt=alt)


def reason_form(key: str, button: str, *, label: str = "Why?", primary: bool = False) -> str:
    """Ask for a reason; returns it once it was given with a click, else an empty text."""
    with st.form(key, border=False):
        reason = st.text_input(label, max_chars=500)
        submitted = st.form_submit_button(button, type="primary" if primary else "secondary")
    if submitted and not reason.strip():
        st.error("Say why: the reason is kept on record.")
    return reason.strip() if submitted else ""
