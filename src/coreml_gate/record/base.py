"""The base classes of all parts of a Record, and the sides that compute its numbers."""

from typing import Annotated, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import ConfigDict, RootModel, StringConstraints

from coreml_gate.frozen import FrozenModel

EngineName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Side = Literal["source", "fp32", "fp16", "neural-engine", "core-ml", "stand-in", "litert"] | EngineName
"""Who computed: the source, our MIL runtime in a numeric mode, Core ML, what stands in for it, LiteRT, or
another engine by its name."""
Content = TypeVar("Content")
FORM: Final = ConfigDict(extra="forbid", allow_inf_nan=False, ser_json_inf_nan="null")
"""Without unknown keys, and finite."""


class Measured(FrozenModel):
    """Base class of the parts of a Record."""

    model_config = ConfigDict(ser_json_inf_nan="null")


class Part(Measured):
    """A part that a child process hands over as soon as it is measured; it names its field in the Record."""

    FIELD: ClassVar[str]

    @property
    def content(self) -> object:
        """The value of the field: the part itself."""
        return self


class WrappedPart(RootModel[Content], Generic[Content]):
    """A part whose field holds a list, or a value that other fields hold as well."""

    FIELD: ClassVar[str]
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    @property
    def content(self) -> Content:
        """The value of the field."""
        return self.root
