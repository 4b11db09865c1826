"""A pull request that changes what judges it."""

from coreml_gate.config.load import parse_config
from coreml_gate.gate.config_changes import config_changes, config_finding
from coreml_gate.verdict import Status

BASE = """
[gate]
fail-on-unsure = true
[gate.limits]
size = { max-mb = 20 }

[[model]]
name = "digits"
source = "models/digits.py:build"

[[model]]
name = "faces"
source = "models/faces.py:build"
limits = { parity = { max-error = 1e-5 } }
"""


def changes(head: str) -> list[str]:
    return [str(change) for change in config_changes(parse_config(BASE, "base"), parse_config(head, "head"))]


def test_the_same_configuration_is_no_finding() -> None:
    commented = BASE.replace("[gate]", "# a comment\n[gate]")

    assert changes(commented) == []
    assert config_finding((), "") is None


def test_a_looser_limit_names_the_model_and_both_values() -> None:
    assert changes(BASE.replace("1e-5", "0.5")) == ["`limits.parity.max-error` of `faces`: 1e-05 → 0.5"]


def test_what_models_inherit_is_one_change_of_them_all() -> None:
    assert changes(BASE.replace("max-mb = 20", "max-mb = 900")) == [
        "`limits.size.max-mb` of `digits`, `faces`: 20.0 → 900.0"
    ]


def test_switching_the_gate_off_is_seen() -> None:
    assert changes(BASE.replace("fail-on-unsure = true", "")) == ["`gate.fail-on-unsure`: true → false"]
    assert changes(BASE.partition('[[model]]\nname = "faces"')[0]) == ["`model` of `faces`: gated → removed"]


def test_a_new_metric_limit_and_a_new_model_are_seen() -> None:
    head = (
        BASE
        + '[[model]]\nname = "ears"\nsource = "e.py:f"\nlimits = { evaluate = { f1 = { least = 0.5 } } }\n'
    )

    assert changes(head) == ["`model` of `ears`: absent → added"]
    with_metric = BASE.replace(
        "max-error = 1e-5 }", "max-error = 1e-5 }, evaluate = { f1 = { least = 0.5 } }"
    )
    assert "`limits.evaluate.f1.least` of `faces`: not set → 0.5" in changes(with_metric)


def test_the_finding_warns_in_one_sentence_and_lists_everything() -> None:
    head = BASE.replace("1e-5", "0.5").replace("max-mb = 20", "max-mb = 900").replace("true", "false")
    head = head.replace("faces.py", "other.py")
    found = config_finding(
        config_changes(parse_config(BASE, "base"), parse_config(head, "head")), "Judged with the base's."
    )

    assert found is not None
    assert (found.check, found.status, len(found.details)) == ("policy", Status.WARN, 4)
    assert found.message == (
        "4 keys of the gate's configuration changed: `gate.fail-on-unsure`: true → "
        "false; `limits.size.max-mb` of `digits`, `faces`: 20.0 → 900.0; `limits.parity.max-error` of "
        "`faces`: 1e-05 → 0.5; and 1 more. Judged with the base's."
    )


def test_an_input_is_known_by_its_name() -> None:
    base = BASE + '[[model.input]]\nname = "image"\nshapes = [[1, 3, 8, 8], [1, 3, 16, 16]]\n'
    head = base.replace("shapes = [[1, 3, 8, 8], [1, 3, 16, 16]]", "shape = [1, 3, 8, 8]")
    found = config_changes(parse_config(base, "base"), parse_config(head, "head"))
    assert [str(change) for change in found] == [
        "`input.image.shape` of `faces`: not set → [1, 3, 8, 8]",
        "`input.image.shapes` of `faces`: [[1, 3, 8, 8], [1, 3, 16, 16]] → not set",
    ]
