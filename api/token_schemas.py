"""Bodies of /auth/token."""

from typing import Literal

from pydantic import ConfigDict, Field, SecretStr

from api.schemas import Answer, Body, Short

TokenScope = Literal["predict", "feedback", "read", "alerts", "operate", "admin"]


class TokenBody(Body):
    """Who asks for a token: with a key nothing is needed, else name and password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "ana", "password": "correct horse battery"}]}
    )
    name: Short | None = None
    password: SecretStr | None = Field(None, min_length=1, max_length=200)
    scopes: list[TokenScope] | None = Field(
        None, min_length=1, max_length=5, description="Fewer than the key or the role opens."
    )


class TokenAnswer(Answer):
    """A token for the header `Authorization: Bearer …`."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds.")
    scopes: list[TokenScope]
