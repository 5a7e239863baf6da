"""What clients get for a file of labels."""

from pydantic import Field

from api.schemas import Answer, Problem


class LineRefusal(Answer):
    """Why the label on one line of a file was not taken."""

    line: int = Field(description="As an editor counts: the header is line 1.")
    error: Problem


class FileAnswer(Answer):
    """How many labels of a file were taken; known ones are taken without effect."""

    status: str = Field(examples=["accepted"])
    accepted: int
    refused: list[LineRefusal]
