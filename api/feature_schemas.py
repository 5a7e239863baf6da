"""What clients send and get about features that models share."""

from datetime import datetime

from pydantic import Field

from api.schemas import Answer, Body, Feature, Short


class FeatureValueItem(Body):
    """What a feature of an entity is, from a moment on."""

    feature: Short = Field(examples=["spent_30d@1"])
    entity_id: Short
    at: datetime
    value: Feature


class FeatureValuesBody(Body):
    """Values of looked-up features."""

    values: list[FeatureValueItem] = Field(min_length=1)


class FeatureValuesAnswer(Answer):
    """How many values were new, and how many were known already."""

    new: int
    known: int


class FeatureRow(Answer):
    """One feature that models share."""

    name: str = Field(examples=["debt_ratio@2"])
    type: str
    how: str
    words: str = Field(description="How the value comes about.", examples=["debt / income"])


class FeatureList(Answer):
    """The newest version of every feature."""

    features: list[FeatureRow]
