from coreml_gate.package_facts.output_order import in_source_order
from tests.builders import feature

START, END = feature(name="start"), feature(name="end")


def test_outputs_that_bear_the_sources_names_are_matched_by_them() -> None:
    assert in_source_order((END, START), ("start", "end")) == (START, END)


def test_outputs_of_other_names_keep_their_places() -> None:
    assert in_source_order((END, START), ("start", "logits")) == (END, START)
    assert in_source_order((END, START), ("start",)) == (END, START)
    assert in_source_order((END, END), ("end", "end")) == (END, END), "a tensor that is returned twice"
