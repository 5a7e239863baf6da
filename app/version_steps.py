"""What a person may do with a version: release, override, stage, archive, download, import."""

import streamlit as st

from app import ui
from core import recommendations, registry
from core.access import Actor, may
from core.panel import Panel
from core.registry import again
from core.tables.entities import DatasetVersion, ModelVersion, Run


def release(panel: Panel, actor: Actor, row: ModelVersion) -> None:
    """Offer to judge or propose the version, or to override its gate; somebody else decides."""
    if again.lacks_evidence(row) and may(actor, "report.request"):
        _judge(panel, actor, row)
    if registry.releasable(row):
        if may(actor, "recommendation.propose"):
            _propose(panel, actor, row)
    elif may(actor, "version.override"):
        _override(panel, actor, row)
    else:
        st.info("The gate does not let it through. An approver may override that with a reason.")


def _propose(panel: Panel, actor: Actor, row: ModelVersion) -> None:
    st.markdown(f"Propose {ui.plain(row.version)} for release; an approver decides in the inbox.")
    if reason := ui.reason_form(f"propose-{row.version}", "Propose for release", primary=True):
        with ui.reporting():
            recommendations.propose_promotion(
                panel.db, panel.settings, actor, model=row.model, version=row.version, reason=reason
            )
            ui.done(f"{row.version} waits for an approver in the inbox.")


def _judge(panel: Panel, actor: Actor, row: ModelVersion) -> None:
    with panel.db.read() as db:
        arrived = again.new_labels(db, row)
    words = f"Judge again with {ui.count(arrived, 'new label')}"
    if arrived and st.button(words, help="Each look asks for more evidence than the one before."):
        with ui.reporting():
            again.request(panel.db, actor, row.model, row.version)
            ui.done(f"{row.version} is being judged again; its answer appears here in a minute.")


def _override(panel: Panel, actor: Actor, row: ModelVersion) -> None:
    words = "The gate does not let it through. If you know better, say why; it is kept on record."
    st.markdown(words)
    if reason := ui.reason_form(f"override-{row.version}", "Override the gate"):
        with ui.reporting():
            registry.override(panel.db, actor, row.model, row.version, reason=reason)
            ui.done(f"{row.version} may be proposed for release now.")


def move(panel: Panel, actor: Actor, row: ModelVersion, stage: str) -> None:
    """Offer to name the version the challenger, take that back, or archive it."""
    if not may(actor, "version.stage") or stage in ("production", "archived"):
        return
    named = (panel.db, actor, row.model, row.version)
    with st.container(horizontal=True), ui.reporting():
        if stage == "staging":
            if st.button("Take out of staging"):
                registry.back_to_development(*named, reason="in the panel")
                ui.done(f"{row.version} is in development again.")
        elif row.state != "rejected" and st.button("Promote to staging"):
            registry.promote_to_staging(*named, reason="in the panel")
            ui.done(f"{row.version} is the challenger now.")
        if may(actor, "version.archive") and stage != "staging":
            why = "Why is it archived?"
            with st.popover("Archive"):
                if reason := ui.reason_form(f"archive-{row.version}", "Archive it", label=why):
                    registry.archive(*named, reason=reason)
                    ui.done(f"{row.version} is archived.")


def downloads(
    panel: Panel,
    actor: Actor,
    row: ModelVersion,
    *,
    title: str,
    run: Run | None,
    data: list[DatasetVersion],
    stage: str,
) -> None:
    """Offer the model card, and the version as one signed file."""
    name = f"{row.model}-{row.version}"
    card = registry.card(row, title=title, run=run, datasets=data, stage=stage)
    with st.container(horizontal=True):
        st.download_button("Download the model card", card, f"{name}.md", "text/markdown")
        if may(actor, "version.export") and st.button("Prepare the signed file"):
            with ui.reporting():
                st.download_button(
                    "Download the signed file",
                    _file(panel, actor, row),
                    f"{name}.pilothouse",
                    "application/octet-stream",
                    type="primary",
                )


def _file(panel: Panel, actor: Actor, row: ModelVersion) -> bytes:
    from core.serving import transfer

    return transfer.export(panel.db, actor, panel.settings, row.model, row.version)


def bring(panel: Panel, actor: Actor) -> None:
    """Offer to register the version of a signed file."""
    if not may(actor, "version.import"):
        return
    with st.expander("Import a version"), st.form("import", border=False):
        given = st.file_uploader("A signed file, exported under the same secret key")
        reason = st.text_input("Why is it imported?", max_chars=500)
        if st.form_submit_button("Import") and given is not None:
            from core.serving import transfer

            with ui.reporting():
                content = given.getvalue()
                row = transfer.import_file(panel.db, actor, panel.settings, content, reason=reason)
                ui.done(f"{row.model} {row.version} is registered; the gate has not judged it.")
