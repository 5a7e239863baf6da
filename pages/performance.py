"""Are the answers right, and are they fast? Accuracy from labels, volume, latency, errors."""

import streamlit as st

from app import charts, disputes, series, session, ui
from core import labels, predictions, registry, releases, specs
from core.monitoring import reports

panel, actor = session.panel(), session.actor()
now = panel.clock()
SPANS = {"24 hours": 24, "3 days": 72, "7 days": 168}

# load
top = st.container()
model = ui.pick_model(panel)
span = st.selectbox("Span", list(SPANS), key="span", bind="query-params", width=160)
hours = SPANS[span]
with panel.db.read() as db:
    spec = specs.active(db, model)
    release = releases.find_current(db, model)
    version = registry.get(db, model, releases.champion(release)) if release else None
    counts = predictions.volume(db, model, hours, now=now)
    labelled = predictions.labelled(db, model, limit=3000)
    open_disputes, n_disputed = labels.disputes(db, model, limit=20), labels.disputed(db, model)
    checked = reports.reports(db, model, "performance", limit=1)
points = series.hourly(counts, hours, now)
bins = series.accuracy(labelled)
live = [row for row in counts if row.variant != "shadow"]
requests, errors = sum(row.requests for row in live), sum(row.errors for row in live)

# render
if checked:
    finding, tone = checked[0].sentence, ui.color(checked[0].state)
elif bins:
    finding, tone = f"{len(labelled):,} labelled answers, not judged by a check yet.", ui.color("")
elif requests:
    finding, tone = "Requests are answered, but no label has arrived yet.", ui.color("warn")
else:
    finding, tone = f"No request was answered in the last {span}.", ui.color("")
ui.head("Performance", finding, tone, at=top)

answered, failed, slow, known = st.columns(4)
answered.metric(f"Requests, {span}", f"{requests:,}")
failed.metric("Errors", f"{errors / requests:.2%}" if requests else ui.NOTHING, f"n = {errors:,}",
              delta_color="off", delta_arrow="off")  # fmt: skip
p95 = series.quantile(live, 0.95)
bound = "over 1 s" if p95 == float("inf") else f"{p95:g} ms" if p95 is not None else ui.NOTHING
slow.metric("95 % are faster than", bound)
oldest = points[0].at
recent = sum(row.prediction.at >= oldest for row in labelled)
share = f"{min(1, recent / requests):.1%}" if requests else ui.NOTHING
known.metric("Labelled", share, f"n = {recent:,}", delta_color="off", delta_arrow="off")

ui.section("Accuracy from labels")
if n_disputed:
    st.caption(f"{n_disputed:,} more are disputed by their sources: see below.")
if bins:
    newest = bins[-1]
    interval = (newest.low, newest.high)
    words = ui.with_interval(newest.value, interval, newest.n)
    st.markdown(f"Newest {newest.n} labels: accuracy **{ui.plain(words)}**")
    baseline = version.metrics.get("accuracy") if version else None
    figure = charts.accuracy(bins, baseline=baseline, floor=spec.policy.accuracy_floor)
    ui.chart(figure, "accuracy", "accuracy over time with intervals")
    with st.expander("As a table"):
        ui.table(
            {
                "until": ui.utc(one.end),
                "version": one.version,
                "n": one.n,
                "accuracy": ui.figure(one.value),
                "95 % interval": f"{one.low:.4f} to {one.high:.4f}",
            }
            for one in reversed(bins)
        )
else:
    ui.empty(
        "No label has arrived yet.",
        "Clients send the truth to POST /feedback with the prediction's id; accuracy follows.",
    )
disputes.show(panel, actor, open_disputes, n_disputed)

ui.section("Traffic")
if requests:
    ui.chart(charts.volume(points), "volume", "requests and errors an hour")
    ui.chart(charts.latency(points), "latency", "latency an hour")
else:
    ui.empty(
        f"No request in the last {span}.",
        "Clients call POST /predict with a key from Admin; or look at a longer span.",
    )
if checked and checked[0].figures:
    with st.expander("The newest check in figures"):
        ui.table([ui.flat({"figure": k, "value": v}) for k, v in checked[0].figures.items()])
        st.caption(ui.plain(f"{checked[0].method}. Assumed: {checked[0].assumptions}"))
