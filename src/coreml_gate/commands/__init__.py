"""Every command of the command line, in reading order.

A command is a module that describes its arguments and runs. Only the command that is run is imported, so that
``--help`` and ``--version`` are fast.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final


@dataclass(frozen=True)
class Command:
    """What a command is for, and where its code is."""

    help: str
    module: str
    describe: str = "describe"
    """Name of the function that adds the arguments and sets ``command`` to the function to run."""

    def describe_to(self, parser: argparse.ArgumentParser) -> None:
        """Import the command and add its arguments."""
        getattr(import_module(self.module), self.describe)(parser)


COMMANDS: Final[Mapping[str, Command]] = {
    "init": Command("propose a configuration for this repository", "coreml_gate.init.command"),
    "run": Command(
        "measure the models that changed since a base, judge them, and write the reports",
        "coreml_gate.commands.run",
    ),
    "plan": Command("list the models that changed since a base, and why", "coreml_gate.commands.plan"),
    "collect": Command("measure models into a Record, without judging", "coreml_gate.commands.collect"),
    "judge": Command(
        "judge stored Records under the limits of the configuration", "coreml_gate.commands.judge"
    ),
    "reproduce": Command(
        "write one operation of a measured model as a package with its real inputs",
        "coreml_gate.diagnose.command",
    ),
    "rules": Command("list the known pitfalls that models are checked for", "coreml_gate.rules.command"),
    "support": Command(
        "list the operations that cannot be converted, and the targets that a model converts for",
        "coreml_gate.support.command",
    ),
    "variants": Command(
        "measure a model's variants and rank them side by side",
        "coreml_gate.variants.command",
        "describe_variants",
    ),
    "compress": Command(
        "find the smallest compression that keeps a model's metric",
        "coreml_gate.variants.command",
        "describe_compress",
    ),
    "device": Command("run measured packages on a connected iPhone", "coreml_gate.gate.device_command"),
    "devices": Command("list the iPhones and iPads that the gate knows", "coreml_gate.devices.command"),
    "diff": Command(
        "show what changed between two packages, operation by operation", "coreml_gate.mil.diff_command"
    ),
    "doctor": Command(
        "check that this machine can do everything that the gate needs", "coreml_gate.doctor.command"
    ),
    "selftest": Command(
        "inject known faults into your own setup; each must turn the gate red", "coreml_gate.selftest.command"
    ),
    "explain": Command(
        "explain a finding, a rule or an error, and what to do", "coreml_gate.explain.command"
    ),
    "history": Command(
        "show how each metric developed over the commits of the base branch", "coreml_gate.commands.history"
    ),
    "site": Command(
        "write the history, the latest report and a badge as a static site", "coreml_gate.commands.site"
    ),
    "bisect": Command("find the commit that changed a metric of a model", "coreml_gate.commands.bisect"),
    "report": Command("render a stored report.json in another format", "coreml_gate.commands.report"),
    "github": Command("run a step of a GitHub workflow", "coreml_gate.github.commands"),
}
