"""`make run` as a stranger uses it: it starts, heals itself, and ends without a trace."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.processes, pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def client(product):
    words = ("keys", "create", "--name", "test", "--scope", "predict", "--scope", "read", "--json")
    key = json.loads(product.pilothouse(*words))["key"]
    with httpx.Client(
        base_url=product.url("api"), headers={"X-API-Key": key}, trust_env=False, timeout=60
    ) as client:
        wait_until(lambda: predict(client).status_code == 200)
        yield client


def predict(client, text="free prize, call now"):
    return client.post("/predict", json={"message": text})


def wait_until(condition, seconds=180):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def test_the_documentation_is_drawn_without_another_host(product, browser):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(product.url("api", "/docs"))
    page.get_by_text("/predict/batch").first.wait_for(timeout=60_000)
    page.close()
    assert [url for url in asked if not url.startswith((product.url("api"), "data:"))] == []


def test_it_gets_ready_and_says_where_to_go(product):
    print(f"make run to a ready panel: {product.seconds:.1f} s")
    assert product.seconds < 180
    wait_until(lambda: "Pilothouse is ready" in product.output.read_text())
    text = product.output.read_text()
    assert product.url("panel") in text
    assert "First admin: admin" in text
    assert "Data: " in text  # it says plainly which data it used


def test_a_client_gets_a_prediction(client):
    answer = predict(client).json()
    assert (answer["model"], answer["variant"]) == ("sms_spam", "control")


@pytest.mark.parametrize("name", ["api", "panel", "worker", "shipper", "mlflow"])
def test_a_killed_process_is_started_again(product, name):
    wait_until(lambda: name in product.children())
    before = product.children()[name]
    family = descendants(before)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: product.children().get(name, before) != before)
    wait_until(lambda: not any(alive(pid) for pid in family))


def test_mlflow_serves_again_after_it_was_killed(product):
    product.wait_for("mlflow", "/health", time.monotonic() + 180)


def descendants(pid):
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    ).stdout.split()
    return [int(child) for child in found] + [
        grandchild for child in found for grandchild in descendants(child)
    ]


def test_every_process_logs_json_to_the_terminal_and_to_a_file_of_its_own(product):
    product.wait_until_ready()
    ours = [line for line in product.output.read_text().splitlines() if line.startswith("{")]
    spoke = {json.loads(line)["process"] for line in ours}
    assert {"api", "worker", "shipper", "mlflow"} <= spoke
    for name in ("api", "panel", "worker", "shipper", "mlflow"):
        log = product.home / "logs" / f"{name}.log"
        wait_until(lambda log=log: log.exists() and log.read_text().strip())
        for line in log.read_text().strip().splitlines():
            assert json.loads(line)["process"] == name


def test_sigterm_to_make_ends_everything_and_no_answered_prediction_is_lost(product, client):
    product.wait_until_ready()
    answered, stop = [], threading.Event()

    def send():
        while not stop.is_set():
            try:
                answer = predict(client, "lunch at noon?")
            except httpx.HTTPError:
                return
            if answer.status_code == 200:
                answered.append(answer.json()["prediction_id"])

    sender = threading.Thread(target=send)
    sender.start()
    wait_until(lambda: len(answered) > 20)
    pids = set(product.children().values())
    product.stop(signal.SIGTERM)
    stop.set()
    sender.join()

    wait_until(lambda: not any(alive(pid) for pid in pids))
    assert set(answered) <= product.stored()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    return state != "Z"  # ended, and only waits to be noticed


def test_a_second_start_changes_nothing_and_killing_make_itself_ends_everything(product):
    product.output.write_text("")
    product.start()
    seconds = product.wait_until_ready()
    print(f"second start: {seconds:.1f} s")
    assert "First admin" not in product.output.read_text()
    pids = set(product.children().values())
    product.stop(signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids))
