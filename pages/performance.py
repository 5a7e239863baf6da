"""Are the answers right, and are they fast? Accuracy from labels, volume, latency, errors."""

from datetime import timedelta

import streamlit as st

from app import (
    checked,
    disputes,
    label_requests,
    performance_charts,
    performances,
    series,
    session,
    trend_views,
    ui,
)
from core import labels, policies, predictions, registry, releases, specs
from core.monitoring import reports, retrainings, trends

panel, actor = session.panel(), session.actor()
now = panel.clock()
SPANS = {"24 hours": 24, "3 days": 72, "7 days": 168}
MOST_DRAWN = 3_000  # labelled answers

# load
top = st.container()
model = ui.pick_model(panel)
span = st.selectbox("Span", list(SPANS), key="span", bind="query-params", width=160)
hours = SPANS[span]
first = (now - timedelta(hours=hours - 1)).replace(minute=0, second=0, microsecond=0)  # full hours
with panel.db.read() as db:
    spec = policies.judging(db, specs.active(db, model))
    serves = checked.serving(db, model)
    asked = checked.asked(db, model, performances.KINDS)
    history = releases.past(db, model)
    version = registry.get(db, model, serves.version) if serves else None
    counts = predictions.volume(db, model, hours, now=now)
    labelled = predictions.newest_outcomes(db, model, limit=MOST_DRAWN)
    n_labelled, n_answered = predictions.label_counts(db, model, since=first)
    open_disputes, n_disputed = labels.disputes(db, model, limit=20), labels.disputed(db, model)
    latest = {kind: performances.latest(db, serves, kind) for kind in performances.KINDS}
    judged = checked.newest(db, serves, "performance", judged=True)
    before = performances.before(db, model, history)
    estimates = reports.gravest(db, model, "estimate", since=first, until=now, most=48)
    volumes = reports.reports(db, model, "volume", limit=200, origin=reports.LIVE, since=first)
    trained = retrainings.recent(db, model)
earlier = asked is not None and asked != latest[asked.kind]
if asked:
    latest[asked.kind] = asked
    judged, before = (asked, None) if asked.kind == "performance" else (judged, before)
drawn = [row for row in labelled if row.at >= first]
points, bins = series.hourly(counts, hours, now), series.accuracy(drawn)
guesses = [trends.quality(one.window_end, one) for one in reversed(estimates)]
estimated = [one for one in guesses if one is not None]
marks = performances.marks(history)
live = [row for row in counts if row.variant != "shadow"]
requests, errors = sum(row.requests for row in live), sum(row.errors for row in live)
said = asked or performances.gravest(latest)
fell = "" if asked else performances.fell(said, drawn, serves, spec, version)

# render
if said:
    finding, tone = fell or said.sentence, ui.color("warn" if fell else said.state)
else:
    finding, tone = performances.unjudged(serves, len(drawn), requests, span, now)
ui.head("Performance", finding, tone, at=top)
with top:
    if earlier and asked:
        st.caption(ui.plain(f"You look at an earlier report, made {ui.when(asked.at, now)}."))
        ui.link("performance", "What counts now", model=model)
    else:
        performances.what_to_do(said, model)
    performances.findings(latest, said, fallen=bool(fell))

answered, failed, slow, known = st.columns(4)
answered.metric(f"Requests, {span}", f"{requests:,}")
rate, of = (f"{errors / requests:.2%}" if requests else ui.NOTHING), f"{errors:,} of {requests:,}"
failed.metric("Errors", rate, of, delta_color="off", delta_arrow="off")
slow.metric("95 % are faster than", performance_charts.latency_words(series.quantile(live, 0.95)))
share = f"{n_labelled / n_answered:.1%}" if n_answered else ui.NOTHING
of = f"{n_labelled:,} of {n_answered:,}"
known.metric("Labelled", share, of, delta_color="off", delta_arrow="off")

ui.section("Accuracy from labels and estimated")
if judged:
    performances.cards(judged, before)
if n_disputed:
    st.caption(f"{n_disputed:,} more are disputed by their sources: see below.")
released = [one for one in marks if one[0] >= first]
performances.quality(bins, estimated, marked=released, spec=spec, version=version)
if len(drawn) == MOST_DRAWN:
    st.caption(f"Drawn are the newest {MOST_DRAWN:,} labelled answers.")
disputes.show(panel, actor, open_disputes, n_disputed)
label_requests.show(panel, actor, model)
if judged:
    performances.slices(judged.figures, spec)
    performances.calibration(judged.figures)
performances.labels(latest["performance"])
performances.concept(latest["concept"])

ui.section("Traffic")
if requests:
    band = performance_charts.volume(points, series.band(volumes))
    ui.chart(band, "volume", "requests and errors an hour")
    ui.chart(performance_charts.latency(points), "latency", "latency an hour")
    performances.service(latest["service"])
else:
    ui.empty(
        f"No request in the last {span}.",
        "Clients call POST /predict with a key from Admin; or look at a longer span.",
    )
trend_views.trainings(trained, marks)
trend_views.over(panel, model)
trend_views.feed(panel, model)
if judged and judged.figures:
    with st.expander("The newest check of the labels in figures"):
        ui.table([ui.flat({"figure": k, "value": v}) for k, v in judged.figures.items()])
        st.caption(ui.plain(f"{judged.method}. Assumed: {judged.assumptions}"))
