import re
import threading

import pytest

from core.errors import InvalidInputError
from core.settings import ROOT, Settings


def names_in_example():
    text = (ROOT / ".env.example").read_text()
    return set(re.findall(r"^#? ?(PILOTHOUSE_[A-Z_]+)=", text, re.MULTILINE))


def test_the_example_lists_every_setting_and_no_other():
    settings = {f"PILOTHOUSE_{name.upper()}" for name in Settings.model_fields}
    assert names_in_example() == settings


@pytest.mark.parametrize(
    ("common", "field", "value"),
    [
        ("DATABASE_URL", "database_url", "postgresql://u@h/d"),
        ("MLFLOW_TRACKING_URI", "mlflow_tracking_uri", "http://mlflow:5000"),
        ("OPENAI_API_KEY", "openai_api_key", "sk-x"),
        ("SLACK_WEBHOOK_URL", "slack_webhook_url", "https://hooks.example/x"),
        ("ALERT_EMAIL", "alert_email", "ops@example.com"),
        ("ALERT_EMAIL_PASSWORD", "alert_email_password", "pw"),
        ("MONITORING_WEBHOOK_URL", "monitoring_webhook_url", "https://hooks.example/y"),
    ],
)
def test_common_names_are_read_and_our_own_win(monkeypatch, common, field, value):
    def read():
        found = getattr(Settings(_env_file=None), field)
        return found.get_secret_value() if hasattr(found, "get_secret_value") else found

    monkeypatch.setenv(common, value)
    assert read() == value
    monkeypatch.setenv(f"PILOTHOUSE_{field.upper()}", "own")
    assert read() == "own"


def test_a_plain_postgresql_url_gets_the_driver_we_ship():
    settings = Settings(_env_file=None, database_url="postgres://u:p@h/d")
    assert settings.db_url == "postgresql+psycopg://u:p@h/d"


def test_the_overlay_of_the_environment_lies_below_the_variables(monkeypatch):
    monkeypatch.setenv("PILOTHOUSE_ENV", "production")
    assert Settings(_env_file=None).host == "0.0.0.0"
    monkeypatch.setenv("PILOTHOUSE_HOST", "10.0.0.1")
    assert Settings(_env_file=None).host == "10.0.0.1"


def test_the_environment_may_be_named_in_the_env_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("PILOTHOUSE_ENV=production\n")
    monkeypatch.chdir(tmp_path)
    assert Settings().host == "0.0.0.0"


@pytest.mark.parametrize("weak", ["short", "a" * 64])
def test_a_weak_secret_key_is_refused(tmp_path, weak):
    with pytest.raises(InvalidInputError, match="too weak"):
        Settings(_env_file=None, home=tmp_path, secret_key=weak).key_for("audit")


def test_processes_that_start_at_once_agree_on_one_generated_key(tmp_path):
    settings, found = Settings(_env_file=None, home=tmp_path), []
    threads = [
        threading.Thread(target=lambda: found.append(settings.key_for("x"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_keys_of_two_purposes_differ(tmp_path):
    settings = Settings(_env_file=None, home=tmp_path)
    assert settings.key_for("audit") != settings.key_for("session")


def test_secrets_do_not_show_in_the_settings_text(tmp_path):
    settings = Settings(_env_file=None, home=tmp_path, admin_password="hunter2hunter2")
    assert "hunter2" not in repr(settings)


INSIDE = {  # what a container fixes for itself
    "ENV",
    "HOME",
    "LOG_DIR",
    "SPECS_DIR",
    "DATA_DIR",
    "DATABASE_URL",
    "MLFLOW_TRACKING_URI",
    "HOST",
    "API_PORT",
    "PANEL_PORT",
    "MLFLOW_PORT",
}


def test_compose_hands_every_setting_to_the_containers():
    compose = (ROOT / "docker-compose.yml").read_text()
    expected = {name.upper() for name in Settings.model_fields} - INSIDE
    handed = set(re.findall(r"^    PILOTHOUSE_([A-Z_]+): \$", compose, re.MULTILINE))
    assert expected <= handed


def test_a_relative_data_folder_stays_the_same_wherever_a_child_is_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(_env_file=None, home="here")
    assert settings.root == tmp_path / "here"
    assert settings.logs == tmp_path / "here" / "logs"
    assert Settings(_env_file=None).logs == tmp_path / "logs"
