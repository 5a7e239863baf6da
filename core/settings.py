"""The one reader of the environment: variables, `.env`, and `config/{env}.yaml` under them."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from core.errors import InvalidInputError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_HOME = "var"


def _named(name: str, *common: str) -> AliasChoices:
    return AliasChoices(f"PILOTHOUSE_{name.upper()}", *common, name)


class Settings(BaseSettings):
    """All configuration of one running process. Precedence: variables, `.env`, YAML, defaults."""

    model_config = SettingsConfigDict(
        env_prefix="PILOTHOUSE_", env_file=".env", extra="ignore", populate_by_name=True
    )

    env: Literal["development", "production", "test"] = "development"
    home: Path = Field(Path(DEFAULT_HOME), validate_default=True)
    log_dir: Path | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    specs_dir: Path = ROOT / "specs"
    data_dir: Path | None = None
    offline: bool = False

    database_url: str = Field("", validation_alias=_named("database_url", "DATABASE_URL"))
    mlflow_tracking_uri: str = Field(
        "", validation_alias=_named("mlflow_tracking_uri", "MLFLOW_TRACKING_URI")
    )

    search_url: str = ""
    training_processes: int = Field(0, ge=0, le=256)
    ray_address: str = ""
    dvc_remote: str = ""

    host: str = "127.0.0.1"
    api_port: int = Field(8000, ge=1, le=65535)
    api_workers: int = Field(1, ge=1, le=64)
    panel_port: int = Field(8501, ge=1, le=65535)
    mlflow_port: int = Field(5000, ge=1, le=65535)
    panel_url: str = ""
    metrics_need_key: bool = False
    otel_endpoint: str = ""

    admin_name: str = "admin"
    admin_password: SecretStr | None = None
    secret_key: SecretStr | None = None
    solo: bool = True
    session_hours: float = Field(12, gt=0, le=24 * 30)
    token_minutes: float = Field(30, gt=0, le=24 * 60)

    openai_api_key: SecretStr | None = Field(
        None, validation_alias=_named("openai_api_key", "OPENAI_API_KEY")
    )
    openai_base_url: str = ""
    openai_model: str = "gpt-5-mini"
    openai_timeout_seconds: float = Field(8, gt=0, le=120)
    openai_tokens_a_day: int = Field(500_000, ge=0)
    openai_cost_a_day: float = Field(5, ge=0)
    openai_input_price: float = Field(0, ge=0)
    openai_output_price: float = Field(0, ge=0)
    agent_traces: bool = False

    scale_command: str = ""
    scale_webhook_url: SecretStr | None = None
    scale_replicas: int = Field(1, ge=1, le=1_000)
    scale_most: int = Field(8, ge=1, le=1_000)

    slack_webhook_url: SecretStr | None = Field(
        None, validation_alias=_named("slack_webhook_url", "SLACK_WEBHOOK_URL")
    )
    alert_email: str = Field("", validation_alias=_named("alert_email", "ALERT_EMAIL"))
    alert_email_password: SecretStr | None = Field(
        None, validation_alias=_named("alert_email_password", "ALERT_EMAIL_PASSWORD")
    )
    alert_email_to: str = ""
    smtp_host: str = ""
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_tls: bool = True
    monitoring_webhook_url: SecretStr | None = Field(
        None, validation_alias=_named("monitoring_webhook_url", "MONITORING_WEBHOOK_URL")
    )
    webhook_secret: SecretStr | None = None
    webhook_allow_private: bool = False

    monitor_minutes: float = Field(15, gt=0, le=24 * 60)
    job_lease_seconds: float = Field(30, gt=0)
    release_poll_seconds: float = Field(0.5, gt=0, le=10)
    snapshot_max_hours: float = Field(24, gt=0)
    warm_trees_mb: int = Field(64, ge=0)
    spool_max_mb: int = Field(512, ge=1)
    spool_durability: Literal["process", "power"] = "process"
    max_concurrency: int = Field(128, ge=1)
    max_connections: int = Field(1_000, ge=1)
    client_seconds: float = Field(10, gt=0, le=600)
    rate_limit_per_minute: int = Field(0, ge=0)
    max_body_bytes: int = Field(1 << 20, ge=1024)
    max_message_chars: int = Field(20_000, ge=1)
    max_batch: int = Field(1_000, ge=1)
    max_stream_items: int = Field(1_000_000, ge=1)
    max_upload_mb: int = Field(50, ge=1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put `config/{PILOTHOUSE_ENV}.yaml` below the variables and above the defaults."""
        chosen = env_settings().get("env") or dotenv_settings().get("env")
        overlay = ROOT / "config" / f"{chosen or 'development'}.yaml"
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            YamlConfigSettingsSource(settings_cls, yaml_file=overlay),
        )

    @field_validator("home", "log_dir", "data_dir", "specs_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("data_dir", "log_dir", "admin_password", "secret_key", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def root(self) -> Path:
        """The data folder, absolute."""
        return self.home

    @property
    def logs(self) -> Path:
        """Where every process writes `NAME.log`."""
        if self.log_dir is not None:
            return self.log_dir
        is_default = self.home.name == DEFAULT_HOME and self.home.parent == Path.cwd()
        return self.home.parent / "logs" if is_default else self.root / "logs"

    @property
    def db_url(self) -> str:
        """The database as SQLAlchemy wants it; SQLite in the data folder unless set."""
        url = self.database_url or f"sqlite:///{self.root / 'pilothouse.db'}"
        for short in ("postgres://", "postgresql://"):
            if url.startswith(short):
                return "postgresql+psycopg://" + url.removeprefix(short)
        return url

    @property
    def tracking_uri(self) -> str:
        """Where MLflow keeps runs: a database of its own beside ours unless set."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def study_url(self) -> str:
        """Where a search keeps its trials: a database of its own beside ours unless set."""
        return self.search_url or f"sqlite:///{self.root / 'search.db'}"

    @property
    def panel_address(self) -> str:
        """Where people reach the panel; used in messages."""
        return self.panel_url or f"http://{self.host}:{self.panel_port}"

    def folder(self, name: str) -> Path:
        """Return a folder below the data folder, made if it is missing."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def key_for(self, purpose: str) -> bytes:
        """Return the 32-byte key for one purpose, derived from the secret key (HMAC-SHA-256).

        Raises: InvalidInputError (the secret key is shorter than 32 characters).
        """
        return hmac.new(self._master().encode(), purpose.encode(), hashlib.sha256).digest()

    def _master(self) -> str:
        given = self.secret_key.get_secret_value() if self.secret_key else self._kept_key()
        if len(given) < 32 or len(set(given)) < 8:
            raise InvalidInputError(
                "PILOTHOUSE_SECRET_KEY is too weak: give at least 32 random characters"
            )
        return given

    def _kept_key(self) -> str:
        path = self.folder(".") / "secret.key"
        fresh = path.with_name(f".secret-{secrets.token_hex(8)}")
        if not path.exists():
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(48))
            try:
                os.link(fresh, path)  # atomic: of two processes at once, the first one's key stays
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text().strip()


def environment_for_others() -> dict[str, str]:
    """Return this process's environment without our own settings, for a program of an admin's."""
    aliases = (field.validation_alias for field in Settings.model_fields.values())
    ours = {name for one in aliases if isinstance(one, AliasChoices) for name in one.choices}
    given = os.environ.items()
    return {name: v for name, v in given if not name.startswith("PILOTHOUSE_") and name not in ours}
