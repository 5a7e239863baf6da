import base64
import hashlib
import hmac
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

from core.adapters import scaler as adapter
from core.adapters.scaler import CommandScaler, WebhookScaler, scaler
from core.errors import PilothouseError
from tests.fakes.http import Receiver
from tests.fakes.scaling import FakeScaler, ScalerContract
from tests.fakes.senders import free_port, secret, settings
from tests.processes_kit import until

KEY = "whsec_" + base64.b64encode(b"a signing key of 24 byte").decode()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(adapter, "PAUSES", (0.0, 0.0))


def command(template, **how):
    return CommandScaler(settings(scale_command=template), **how)


def hook(url, **more):
    return WebhookScaler(
        settings(
            scale_webhook_url=secret(f"{url}/scale?token=token-x"),
            webhook_secret=secret(KEY),
            **{"webhook_allow_private": True} | more,
        )
    )


class TestFake(ScalerContract):
    @contextmanager
    def up(self):
        fake = FakeScaler()
        yield fake, lambda: fake.asked

    @contextmanager
    def refusing(self):
        yield self.away(), list

    def away(self):
        fake = FakeScaler()
        fake.problem = PilothouseError("it is away")
        return fake


class TestCommand(ScalerContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.told = tmp_path / "told"

    @contextmanager
    def up(self):
        yield command(f"sh -c 'echo $PILOTHOUSE_ACTION_ID {{replicas}} >> {self.told}'"), self.asked

    def asked(self):
        lines = map(str.split, self.told.read_text().splitlines())
        return [(key, int(number)) for key, number in lines]

    @contextmanager
    def refusing(self):
        yield command("sh -c 'exit 3' {replicas}"), list

    def away(self):
        return command("/no/such/program {replicas}")


class TestWebhook(ScalerContract):
    SECRET = "token-x"

    @contextmanager
    def up(self, status=200):
        with Receiver(lambda _: (status, {}, b"")) as receiver:
            yield (
                hook(receiver.url),
                lambda: [
                    (got.json["action_id"], got.json["replicas"]) for got in receiver.received
                ],
            )

    def refusing(self):
        return self.up(status=403)

    def away(self):
        return hook(f"http://127.0.0.1:{free_port()}")


def test_a_command_is_given_its_words_as_they_are_and_no_shell(tmp_path):
    command(f"touch '{tmp_path}/n={{replicas}}; $HOME'").scale(action_id="a", replicas=3)
    assert os.listdir(tmp_path) == ["n=3; $HOME"]


def test_why_a_command_failed_is_its_last_word_without_control_characters():
    with pytest.raises(PilothouseError) as problem:
        words = "sh -c 'echo first >&2; printf \"quota \\033[31mexceeded\" >&2; exit 4' {replicas}"
        command(words).scale(action_id="a", replicas=3)
    assert str(problem.value) == "sh ended with code 4: quota  [31mexceeded"


def test_a_command_that_hangs_is_ended_with_all_that_it_began(tmp_path):
    hanging = command(f"sh -c 'sleep 60 & echo $! > {tmp_path}/pid; wait' {{replicas}}", seconds=3)
    with pytest.raises(PilothouseError, match="took longer than 3 s"):
        hanging.scale(action_id="a", replicas=3)
    until(lambda: gone(int((tmp_path / "pid").read_text())))  # the kernel ends it in its own time


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_command_sees_no_secret_of_ours(tmp_path, monkeypatch):
    for name in ("PILOTHOUSE_SECRET_KEY", "OPENAI_API_KEY", "DATABASE_URL"):
        monkeypatch.setenv(name, "a-secret")
    monkeypatch.setenv("KUBECONFIG", "theirs")
    command(f"sh -c 'env > {tmp_path}/env' {{replicas}}").scale(action_id="a-1", replicas=3)
    seen = (tmp_path / "env").read_text()
    assert "a-secret" not in seen
    assert {"KUBECONFIG=theirs", "PILOTHOUSE_ACTION_ID=a-1"} <= set(seen.splitlines())


@pytest.mark.processes
def test_a_command_ends_with_the_worker_that_began_it(tmp_path):
    code = (
        "from core.adapters.scaler import CommandScaler; from core.settings import Settings;"
        f"told = Settings(_env_file=None, scale_command=\"sh -c 'echo $$ > {tmp_path}/pid;"
        " exec sleep 60' {replicas}\");"
        "CommandScaler(told).scale(action_id='a', replicas=3)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    until(lambda: gone(int((tmp_path / "pid").read_text())))


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("scale to three", "needs an argument with {replicas}"),
        ("{replicas}", "needs an argument with {replicas}"),
        ("scale 'open {replicas}", "cannot be read"),
        ("/no/such/program {replicas}", "No such file"),
    ],
)
def test_a_command_that_cannot_be_run_says_why(template, reason):
    with pytest.raises(PilothouseError, match=reason):
        command(template).scale(action_id="a", replicas=3)


def test_a_webhook_can_be_checked_and_names_its_key():
    with Receiver() as receiver:
        hook(receiver.url).scale(action_id="a-1", replicas=3)
    (got,) = receiver.received
    signed = f"a-1.{got.headers['webhook-timestamp']}.".encode() + got.body
    proof = hmac.new(b"a signing key of 24 byte", signed, hashlib.sha256).digest()
    assert got.headers["webhook-signature"] == "v1," + base64.b64encode(proof).decode()
    assert got.headers["idempotency-key"] == got.headers["webhook-id"] == "a-1"
    assert (got.path, got.json) == ("/scale?token=token-x", {"action_id": "a-1", "replicas": 3})


def test_a_webhook_that_is_busy_is_asked_again_under_the_same_key():
    answers = iter((503, 429, 204))
    with Receiver(lambda _: (next(answers), {}, b"")) as receiver:
        hook(receiver.url).scale(action_id="a-1", replicas=3)
    assert [got.headers["idempotency-key"] for got in receiver.received] == ["a-1"] * 3


@pytest.mark.parametrize("status", [302, 403, 422])
def test_a_webhook_that_refuses_is_not_asked_again(status):
    elsewhere = {"location": "http://127.0.0.1:9/"}
    with Receiver(lambda _: (status, elsewhere, b"")) as receiver:
        with pytest.raises(PilothouseError, match=str(status)):
            hook(receiver.url).scale(action_id="a", replicas=3)
    assert len(receiver.received) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]", "0x7f.1"])
def test_a_webhook_inside_is_refused_unless_an_admin_allows_it(host):
    with pytest.raises(PilothouseError, match="inside a private network|is not known"):
        hook(f"http://{host}:9", webhook_allow_private=False).scale(action_id="a", replicas=3)


def test_what_scales_is_what_is_set_up():
    assert scaler(settings()) is None
    assert scaler(settings(scale_webhook_url=secret(""))) is None
    assert isinstance(
        scaler(settings(scale_webhook_url=secret("https://x.example"))), WebhookScaler
    )
    assert isinstance(scaler(settings(scale_command="scale {replicas}")), CommandScaler)
