"""How explanations are shown: of one answer, and of what matters to a version."""

import streamlit as st

from app import charts, ui
from core.explain import Explanation, Part
from core.explain.answers import Answered
from core.tables.entities import ModelVersion

_LONGEST_NAME = 40


def answer(answered: Answered) -> None:
    """Show what each input added to one answer: a sentence, a chart, the figures."""
    said = answered.explanation
    st.markdown(f"**{ui.plain(sentence(said))}**")
    if said.parts:
        figure = charts.contributions(
            [_named(part) for part in said.parts],
            [part.contribution for part in said.parts],
            toward=said.positive,
            against=said.negative,
            scale=said.scale,
        )
        ui.chart(figure, f"explanation-{answered.version}", sentence(said))
    others = f" {ui.count(said.n_rest, 'other input')}: {said.rest:+.3g}." if said.n_rest else ""
    words = (
        f"{said.method} Base {said.base:+.3g}; all inputs together give {said.score:+.3g} "
        f"({said.scale} of {said.positive}).{others}"
    )
    st.caption(ui.plain(words))
    if said.parts:
        with st.expander("As a table"):
            ui.small_table(
                {"input": _named(part), "speaks for": _label(part, said), "by": part.contribution}
                for part in said.parts
            )


def sentence(said: Explanation) -> str:
    """Say in words what spoke for the answer most, and what against it.

    >>> said = Explanation("spam", "spam", "ham", 0.9, 2.2, 0.2, "log-odds", "Exact.",
    ...                    (Part("win", 1, 3.0, True), Part("home", 1, -1.0, True)), 0.0, 0)
    >>> sentence(said)
    'For spam speak: win; against it: home.'
    """
    sign = 1 if said.label == said.positive else -1
    pro = [_named(part) for part in said.parts if part.contribution * sign > 0][:3]
    con = [_named(part) for part in said.parts if part.contribution * sign < 0][:3]
    if not pro and not con:
        return f"Nothing in this input is known to the model: {said.label} is its usual answer."
    for_it = (
        f"For {said.label} speak: {', '.join(pro)}" if pro else f"Nothing speaks for {said.label}"
    )
    return f"{for_it}; against it: {', '.join(con) or 'nothing'}."


def _label(part: Part, said: Explanation) -> str:
    return said.positive if part.contribution > 0 else said.negative


def _named(part: Part) -> str:
    """Say an input with its value, or how often a word occurs.

    >>> _named(Part("age", 70.0, 1.0)), _named(Part("chol", None, 1.0))
    ('age = 70', 'chol is missing')
    >>> [_named(Part("win", times, 1.0, word=True)) for times in (0, 1, 2)]
    ['without win', 'win', 'win (2 times)']
    """
    name = part.name if len(part.name) <= _LONGEST_NAME else f"{part.name[: _LONGEST_NAME - 1]}…"
    if part.word:
        times = int(part.value or 0)
        return {0: f"without {name}", 1: name}.get(times, f"{name} ({times} times)")
    if part.value is None:
        return f"{name} is missing"
    value = f"{part.value:g}" if isinstance(part.value, int | float) else str(part.value)[:30]
    return f"{name} = {value}"


def importance(row: ModelVersion) -> None:
    """Show what matters to a version over held-out rows, as it was kept at registration."""
    kept = row.explanation or {}
    ui.section("What matters to this version")
    features = list(kept.get("features") or [])[:15]
    if not features:
        why = kept.get("why") or "It was registered before this was measured."
        st.caption(ui.plain(ui.sentence(why)))
        return
    names = [str(one["name"])[:_LONGEST_NAME] for one in features]
    sizes = [float(one["importance"]) for one in features]
    most = f"Most: {', '.join(names[:3])}."
    ui.chart(
        charts.importance(names, sizes, scale=kept["scale"]), f"importance-{row.version}", most
    )
    words = f"{most} Mean size of the contribution on {kept['rows']:,} held-out rows."
    st.caption(ui.plain(f"{words} {kept['method']}"))
