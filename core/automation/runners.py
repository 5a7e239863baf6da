"""What each kind of job does: the one place that ties the features together.

A monitor tells of an alarm, the next job asks the agent, the approved action asks for a run, the
finished run asks whether to release: each step is a job, so a crash between two loses nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core import actions, jobs, recommendations, releases, runs
from core.access import system
from core.agent import answering
from core.agent.investigate import investigate
from core.automation import data_checks, unserved, watch
from core.errors import UnavailableError
from core.jobs import Claim
from core.panel import Panel
from core.registry import again
from core.serving import problems
from core.settings import Settings

if TYPE_CHECKING:
    from core.adapters.langchain_advisor import LangChainAdvisor
    from core.training.search import Tools

Result = Mapping[str, Any]


def _nothing(_panel: Panel, _claim: Claim, _why: str) -> None:
    return None


@dataclass(frozen=True)
class Runner:
    """How a kind of job is carried out, and what a failure or a cancellation leaves behind."""

    work: Callable[[Panel, Claim], Result]
    in_child: bool = False  # a process of its own: heavy libraries, killed on cancel
    on_failure: Callable[[Panel, Claim, str], None] = _nothing
    on_cancel: Callable[[Panel, Claim, str], None] = _nothing


def train(panel: Panel, claim: Claim) -> Result:
    """Train, register, and ask whether the new version should serve."""
    from core.adapters.mlflow_registry import MlflowRegistry
    from core.training.run import carry_out

    run_id, settings = claim.payload["run_id"], panel.settings
    data_checks.before_training(panel, claim)
    tracker = MlflowRegistry(settings)
    version = carry_out(settings, panel.db, claim, run_id, tracker, _tools(settings))
    with panel.db.keep() as session:
        payload = {"run_id": run_id}
        jobs.enqueue(
            session, "propose_promotion", payload, now=panel.clock(), key=f"promotion:{run_id}"
        )
    return {"version": version}


def _tools(settings: Settings) -> "Tools":
    """Return where the fits of a training are carried out, and where its trials are kept."""
    from core.adapters.optuna_study import OptunaStudies
    from core.adapters.ray_executor import RayExecutor
    from core.training import executors
    from core.training.search import Tools

    ray = settings.ray_address
    return Tools(RayExecutor(ray) if ray else executors.local(settings), OptunaStudies(settings))


def _train_failed(panel: Panel, claim: Claim, why: str) -> None:
    runs.fail(panel.db, claim, claim.payload["run_id"], why)


def _train_cancelled(panel: Panel, claim: Claim, _why: str) -> None:
    runs.cancelled(panel.db, claim, claim.payload["run_id"])


def track(panel: Panel, claim: Claim) -> Result:
    """Show a training on the tracking server; while that is away, the job waits ever longer."""
    from core.adapters.mlflow_registry import MlflowRegistry
    from core.training import tracking

    run_id, tracker = claim.payload["run_id"], MlflowRegistry(panel.settings)
    try:
        return {"mlflow_run_id": tracking.once(panel.db, panel.settings, tracker, run_id)}
    except UnavailableError as problem:
        wait = tracking.pause(claim.fence)
        if not jobs.retry(panel.db, claim, error=str(problem), delay=wait):
            raise
    return {}  # the job is back in the queue: nothing ends it here


def mirror(panel: Panel, claim: Claim) -> Result:
    """Let the tracking server's aliases follow what serves; a server that is away is asked later.

    A release never waits for this: the job is queued with it and runs after its commit.
    """
    from core.adapters.mlflow_registry import MlflowRegistry
    from core.training import aliases, tracking

    try:
        return aliases.mirror(panel.db, MlflowRegistry(panel.settings), claim.payload["model"])
    except UnavailableError as problem:
        wait = tracking.pause(claim.fence)
        if not jobs.retry(panel.db, claim, error=str(problem), delay=wait):
            raise
    return {}


def propose_promotion(panel: Panel, claim: Claim) -> Result:
    """Propose to release what a run produced, if the gate lets it and another version serves."""
    with panel.db.read() as session:
        run = runs.get(session, claim.payload["run_id"])
        serving = releases.find_current(session, run.model)
    served = {arm.version for arm in releases.arms(serving)} if serving else set()
    if run.version is None or serving is None or run.version in served:
        return {"proposed": None}
    proposed = recommendations.propose_promotion(
        panel.db, panel.settings, system("agent"), model=run.model, version=run.version
    )
    return {"proposed": proposed.id if proposed else None}


def monitor(panel: Panel, claim: Claim) -> Result:
    """Check the newest window of a model; on an alarm, ask the agent.

    A newer version that lacked evidence is judged again when enough labels have arrived.
    """
    checked = watch.check(panel.db, panel.settings, claim.payload["model"])
    if checked.incident is not None and checked.needs_answer:
        with panel.db.keep() as session:
            jobs.enqueue(
                session,
                "investigate",
                {"model": checked.incident.model, "incident_id": checked.incident.id},
                now=panel.clock(),
                key=f"investigate:{checked.incident.id}:{checked.reports[0].id}",
            )
    with panel.db.read() as session:
        due = again.due(session, claim.payload["model"])
    if due is not None:
        again.ask(panel.db, due)
    return {"reports": [report.sentence for report in checked.reports]}


def cannot_serve(panel: Panel, claim: Claim) -> Result:
    """Open an incident for a release that an api process could not load."""
    opened = unserved.alarm(panel.db, panel.settings, claim.payload)
    return {"incident": opened.incident.id, "new": opened.new}


def serves_again(panel: Panel, _claim: Claim) -> Result:
    """End the incident of a release that every api process can load by now."""
    return {"ended": [one.id for one in unserved.clear(panel.db, panel.settings)]}


def judge_again(panel: Panel, claim: Claim) -> Result:
    """Judge a version again that lacked evidence, on the rows that have arrived since."""
    from core.training import rejudge

    named = claim.payload["model"], claim.payload["version"]
    look = claim.payload["look"]
    gate = rejudge.judge(panel.db, panel.settings, claim, *named, look=look)
    return {"answer": gate["answer"], "n": gate["n"]}


def ask_agent(panel: Panel, claim: Claim) -> Result:
    """Investigate an incident and leave a recommendation, if there is something to recommend."""
    recommendation = investigate(
        panel.db,
        panel.settings,
        claim.payload["model"],
        incident_id=claim.payload.get("incident_id"),
        advisor=_advisor(panel.settings),
    )
    return {"recommendation": recommendation.id if recommendation else None}


def answer(panel: Panel, claim: Claim) -> Result:
    """Answer a person's question about a proposal, once."""
    asked = claim.payload["message_id"]
    given = answering.answer(panel.db, panel.settings, asked, advisor=_advisor(panel.settings))
    return {"message": given.id, "author": given.author}


def _advisor(settings: Settings) -> "LangChainAdvisor":
    """Return who words proposals and answers; its conversations are traced where that is on."""
    from core.adapters import mlflow_traces
    from core.adapters.langchain_advisor import LangChainAdvisor

    return LangChainAdvisor(settings, traces=mlflow_traces.of(settings))


def warm(settings: Settings) -> None:
    """Load what a language model needs ahead of the first question, where there is a model."""
    if settings.openai_api_key is not None or settings.agent_traces:
        from core.adapters import langchain_advisor

        langchain_advisor.load()
        _advisor(settings)


def execute(panel: Panel, claim: Claim) -> Result:
    """Carry out an approved action, once."""
    from core.adapters.scaler import scaler

    action = actions.execute(
        panel.db,
        panel.settings,
        claim,
        claim.payload["action_id"],
        scaler=scaler(panel.settings),
    )
    return {"state": action.state, "after": action.after}


def evidently_report(panel: Panel, claim: Claim) -> Result:
    """Render Evidently's full report for one monitor report."""
    return {"path": str(watch.full_report(panel.db, panel.settings, claim.payload["report_id"]))}


def validate(panel: Panel, claim: Claim) -> Result:
    """Judge an upload by the model's expectations."""
    row = data_checks.judge(panel, claim.payload["dataset_id"])
    return {"state": row.state, "sentence": row.report.get("sentence", "")}


def _validate_failed(panel: Panel, claim: Claim, why: str) -> None:
    data_checks.refuse(panel, claim.payload["dataset_id"], why)


def backfill(panel: Panel, claim: Claim) -> Result:
    """Judge the past of a model again; what a dead worker had judged is kept."""
    from core.monitoring import backfill as past

    def progress(done: int, total: int, note: str) -> None:
        jobs.progress(panel.db, claim, done=done, total=total, note=note)

    told = claim.payload
    found = past.backfill(
        panel.db,
        panel.settings,
        told["model"],
        since=past.moment(told["since"], now=panel.clock()),
        until=past.moment(told["until"], now=panel.clock()) if told.get("until") else None,
        rows=told.get("rows"),
        minutes=told.get("minutes"),
        run=claim.job_id,
        progress=progress,
    )
    return {"windows": found.windows, "drifted": found.drifted}


def _execute_failed(panel: Panel, claim: Claim, why: str) -> None:
    actions.fail(panel.db, claim.payload["action_id"], why, claim=claim)


def drill(panel: Panel, claim: Claim) -> Result:
    """Play a fire drill on a copy of what serves."""
    from core.automation.drill import run

    def progress(done: int, total: int, note: str) -> None:
        jobs.progress(panel.db, claim, done=done, total=total, note=note)

    ended = run.carry_out(panel.db, panel.settings, claim.payload["drill_id"], progress=progress)
    return {"sentence": ended.sentence}


def _drill_failed(panel: Panel, claim: Claim, why: str) -> None:
    from core.automation.drill import rows

    rows.fail(panel.db, claim.payload["drill_id"], why)


RUNNERS: dict[str, Runner] = {
    "train": Runner(train, in_child=True, on_failure=_train_failed, on_cancel=_train_cancelled),
    "track": Runner(track, in_child=True),
    "mirror": Runner(mirror, in_child=True),
    "validate": Runner(validate, in_child=True, on_failure=_validate_failed),
    "propose_promotion": Runner(propose_promotion),
    "monitor": Runner(monitor),
    problems.JOB: Runner(cannot_serve),
    problems.JOB_OVER: Runner(serves_again),
    "judge_again": Runner(judge_again, in_child=True),
    "investigate": Runner(ask_agent),
    "answer": Runner(answer),
    "execute": Runner(execute, on_failure=_execute_failed),
    "evidently_report": Runner(evidently_report, in_child=True),
    "backfill": Runner(backfill, in_child=True),
    "drill": Runner(drill, in_child=True, on_failure=_drill_failed, on_cancel=_drill_failed),
}
