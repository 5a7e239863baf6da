"""Are the answers right, and are they fast? Accuracy from labels, volume, latency, errors."""

from datetime import timedelta

import streamlit as st

from app import disputes, performance_charts, performances, series, session, trend_views, ui
from core import labels, predictions, registry, releases, specs
from core.monitoring import reports, retrainings, trends

panel, actor = session.panel(), session.actor()
now = panel.clock()
SPANS = {"24 hours": 24, "3 days": 72, "7 days": 168}

# load
top = st.container()
model = ui.pick_model(panel)
span = st.selectbox("Span", list(SPANS), key="span", bind="query-params", width=160)
hours = SPANS[span]
since = now - timedelta(hours=hours)
with panel.db.read() as db:
    spec = specs.active(db, model)
    history = releases.past(db, model)
    champion = releases.champion(history[0].release) if history else ""
    version = registry.get(db, model, champion) if history else None
    counts = predictions.volume(db, model, hours, now=now)
    labelled = predictions.labelled(db, model, limit=3000)
    open_disputes, n_disputed = labels.disputes(db, model, limit=20), labels.disputed(db, model)
    newest = {kind: reports.reports(db, model, kind, limit=1) for kind in performances.KINDS}
    judged = reports.judged(db, model, champion, "performance", limit=1)
    before = performances.before(db, model, history)
    estimates = reports.reports(db, model, "estimate", limit=200)
    volumes = reports.reports(db, model, "volume", limit=200)
    trained = retrainings.recent(db, model)
latest = {kind: found[0] for kind, found in newest.items() if found}
points, bins = series.hourly(counts, hours, now), series.accuracy(labelled)
guesses = [trends.quality(one.window_end, one) for one in reversed(estimates)]
estimated = [one for one in guesses if one is not None and one.start >= since]
marks = performances.marks(history)
live = [row for row in counts if row.variant != "shadow"]
requests, errors = sum(row.requests for row in live), sum(row.errors for row in live)
said = performances.gravest(latest)

# render
if said:
    finding, tone = said.sentence, ui.color(said.state)
elif bins:
    finding, tone = f"{len(labelled):,} labelled answers, not judged by a check yet.", ui.color("")
elif requests:
    finding, tone = "Requests are answered, but no label has arrived yet.", ui.color("warn")
else:
    finding, tone = f"No request was answered in the last {span}.", ui.color("")
ui.head("Performance", finding, tone, at=top)
with top:
    performances.findings(latest, said)
    performances.what_to_do(said, model)

answered, failed, slow, known = st.columns(4)
answered.metric(f"Requests, {span}", f"{requests:,}")
rate, of = (f"{errors / requests:.2%}" if requests else ui.NOTHING), f"{errors:,} of {requests:,}"
failed.metric("Errors", rate, of, delta_color="off", delta_arrow="off")
slow.metric("95 % are faster than", performance_charts.latency_words(series.quantile(live, 0.95)))
recent = sum(row.prediction.at >= points[0].at for row in labelled)
share = f"{min(1, recent / requests):.1%}" if requests else ui.NOTHING
known.metric("Labelled", share, f"n = {recent:,}", delta_color="off", delta_arrow="off")

ui.section("Accuracy from labels and estimated")
if judged:
    performances.cards(judged[0], before)
if n_disputed:
    st.caption(f"{n_disputed:,} more are disputed by their sources: see below.")
performances.quality(bins, estimated, marked=marks, spec=spec, version=version)
disputes.show(panel, actor, open_disputes, n_disputed)
if judged:
    performances.slices(judged[0].figures, spec)
    performances.calibration(judged[0].figures)
if "performance" in latest:
    performances.labels(latest["performance"].figures)
performances.concept(latest.get("concept"))

ui.section("Traffic")
if requests:
    band = [one for one in series.band(volumes) if one.at >= since]
    ui.chart(performance_charts.volume(points, band), "volume", "requests and errors an hour")
    ui.chart(performance_charts.latency(points), "latency", "latency an hour")
    performances.service(latest.get("service"))
else:
    ui.empty(
        f"No request in the last {span}.",
        "Clients call POST /predict with a key from Admin; or look at a longer span.",
    )
trend_views.trainings(trained, marks)
trend_views.over(panel, model)
trend_views.feed(panel, model)
if judged and judged[0].figures:
    with st.expander("The newest check of the labels in figures"):
        ui.table([ui.flat({"figure": k, "value": v}) for k, v in judged[0].figures.items()])
        st.caption(ui.plain(f"{judged[0].method}. Assumed: {judged[0].assumptions}"))
