"""How every name on the wire is spelled: camelCase JSON outside, snake_case Python inside."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue

from build_protocol.vocabulary import meaning

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer a browser reads without loss; no count or time on the wire is larger."""

ProjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
BuildId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    Field(description="UUIDv7 made by the agent; one build is one attempt."),
]
Sequence_ = Annotated[int, Field(ge=1, le=MAX_SAFE_INTEGER)]
Count = Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)]
EpochMs = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_SAFE_INTEGER,
        description="Milliseconds since the Unix epoch.",
        json_schema_extra={"format": "epoch-ms"},
    ),
]
"""An instant; what holds one ends in `_at`, what holds a duration in `_ms` or `_seconds`."""
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,64}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ShortText = Annotated[str, StringConstraints(max_length=512)]
Text = Annotated[str, StringConstraints(max_length=8192)]
WebUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s/?#]+([/?#]\S*)?$", max_length=2048),
    Field(description="http or https: the page shows it as a link."),
]


class WireModel(BaseModel):
    """A frozen model of one thing on the wire; unknown fields are ignored, so peers may be newer."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
    )

    def to_json(self) -> str:
        """The model as compact camelCase JSON; what is absent is left out."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema, in which every property says what it means."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, field in cls.model_fields.items():
            described = properties.get(field.alias or name)
            if described is not None and (means := meaning(cls.__name__, name)) is not None:
                described.setdefault("description", means)
        return schema


class RequestModel(WireModel):
    """The body of a request: nothing in it is converted, so that "1" is no number and 0 no boolean."""

    model_config = ConfigDict(strict=True)


class OpenWireModel(WireModel):
    """A wire model that keeps fields it does not know, so that a newer agent's facts survive an older gateway."""

    model_config = ConfigDict(extra="allow")
