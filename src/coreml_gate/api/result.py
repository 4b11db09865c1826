"""The result of ``check``: the Verdict on one model with its Records."""

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from coreml_gate.api.bench import remove_with
from coreml_gate.record import Record
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.verdict import Finding, ModelVerdict, Status, Verdict

Format = Literal["terminal", "markdown", "html", "json", "junit", "sarif"]
_FRAME: Final = (
    '<iframe title="coreml-gate" sandbox="allow-scripts" srcdoc="{page}" '
    'style="width: 100%; height: 34rem; border: 0; border-radius: .6rem"></iframe>'
)


@dataclass(frozen=True, repr=False)
class CheckResult:
    """The gate's verdict on one model; prints like on a terminal, shows as a page in a notebook."""

    verdict: Verdict
    record: Record
    """The measurements, without a judgement; paths are relative to :attr:`folder`."""
    folder: Path
    """The folder of the Record and the packages; removed with this object unless it was given."""
    base: Record | None = field(default=None, kw_only=True)
    """The baseline."""
    temporary: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.temporary:
            remove_with(self, self.folder)

    @property
    def model(self) -> ModelVerdict:
        """The results of all checks."""
        return self.verdict.models[0]

    @property
    def status(self) -> Status:
        """``pass``, ``warn``, ``fail``, ``unsure`` or ``skipped``."""
        return self.model.verdict

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings in the order of the checks."""
        return self.model.findings

    @property
    def package(self) -> Path | None:
        """The package that ships; ``None`` if the conversion failed."""
        facts = self.record.models[0].package
        return None if facts is None else self.folder / facts.path

    def report(self, as_: Format = "terminal") -> str:
        """The report in one of the formats of ``coreml-gate report``."""
        return FORMATS[as_](self.verdict, ReportOptions(record=self.record, base=self.base))

    def __str__(self) -> str:
        return self.report().rstrip()

    def __repr__(self) -> str:
        return f"CheckResult({self.model.name}: {self.status}, {len(self.findings)} findings)"

    def _repr_html_(self) -> str:
        """The page in a frame, so that neither its styles nor its scripts affect the notebook."""
        return _FRAME.format(page=html.escape(self.report("html")))
