"""What support says, from graphs and records that are made here."""

from coreml_gate.record import Problem
from coreml_gate.support.command import answer_of
from coreml_gate.support.report import ModelSupport, TargetSupport, as_text, unsupported_operations
from coreml_gate.torch_graph import TorchCall, TorchGraph
from tests.builders import comparison, conversion, model_record, package


def call(operation: str, number: int = 0, **facts: object) -> TorchCall:
    return TorchCall(name=f"v{number}", operation=operation, **facts)  # type: ignore[arg-type]


def test_all_operations_are_told_at_once_the_commonest_first() -> None:
    graph = TorchGraph(
        route="export",
        calls=(
            call("aten::asinh", 0, support="broken", module="head", file="net.py", line=7),
            call("aten::relu", 1),
            call("aten::upsample_bicubic2d", 2, support="missing", module="up.0", file="net.py", line=9),
            call("aten::upsample_bicubic2d", 3, support="missing", module="up.1", file="net.py", line=9),
        ),
    )
    bicubic, asinh = unsupported_operations(graph)

    assert (bicubic.operation, bicubic.count, bicubic.modules) == (
        "aten::upsample_bicubic2d",
        2,
        ("up.0", "up.1"),
    )
    assert bicubic.places == ("net.py:9",)
    assert "#2818" in bicubic.added_in
    assert (asinh.support, asinh.added_in) == ("broken", "")


def test_a_target_tells_its_size_and_its_worst_parity() -> None:
    record = model_record(
        package=package(total_bytes=123),
        parity=(comparison(max_abs_error=4e-6), comparison(sample=1, max_abs_error=8e-6)),
    )
    assert answer_of("iOS16", record) == TargetSupport(
        target="iOS16", status="converted", size_bytes=123, error=2e-6
    )


def test_a_target_tells_what_its_opset_lacks() -> None:
    said = (
        "ValueError: No available version for pixel_unshuffle in the coremltools.target.iOS15 opset. "
        "Please update the minimum_deployment_target to at least coremltools.target.iOS16"
    )
    answer = answer_of(
        "iOS15", model_record(package=None, conversion=conversion(status="failed", message=said))
    )
    assert (answer.status, answer.newer) == ("failed", ("pixel_unshuffle",))


def test_a_source_that_cannot_run_says_so() -> None:
    problem = Problem(kind="source-error", message="no module `net`.\nmore", exit_code=5)
    answer = answer_of("iOS15", model_record(package=None, conversion=None, problem=problem))
    assert answer.message == "no module `net`."


def test_the_lowest_target_that_works_is_the_answer() -> None:
    support = ModelSupport(
        model="net",
        coremltools="9.0",
        operations=(),
        targets=(
            TargetSupport(target="iOS15", status="failed", newer=("pixel_unshuffle",)),
            TargetSupport(target="iOS16", status="converted", size_bytes=2_500_000, error=3e-7),
        ),
    )
    text = as_text(support)

    assert "iOS15   no                 -  -         pixel_unshuffle" in text
    assert "iOS16   yes          2.50 MB  3.0e-07" in text
    assert text.endswith('The lowest target that works is iOS16: deployment-target = "iOS16"')
