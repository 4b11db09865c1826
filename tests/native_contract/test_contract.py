"""Do engine, doctor and the installed Python of coremltools keep to what its macOS wheel offers?"""

import inspect
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import coremltools
import pytest

from coreml_gate.doctor.toolchain import AVAILABLE_FROM, COREMLTOOLS, macos_version
from coreml_gate.measurements.native_module import NEEDED
from coreml_gate.stand_in import compute_plan, native
from coreml_gate.stand_in.native import native_module
from tests.native_contract.binding_table import read_bindings
from tests.native_contract.contract import parameters, read_contract

CONTRACT = read_contract()
NAMES = {(each["class_name"], each["name"]) for each in CONTRACT["bindings"]}
PYTHON = "".join(
    path.read_text(encoding="utf-8") for path in (Path(coremltools.__file__).parent / "models").rglob("*.py")
)


def test_the_contract_is_of_the_version_that_is_installed_and_that_the_doctor_names() -> None:
    newer = "run `make native-contract` and read the difference"
    assert CONTRACT["coremltools"] == version("coremltools") == COREMLTOOLS, newer
    assert CONTRACT["wheel"].startswith(f"coremltools-{COREMLTOOLS}-cp312-none-macosx_11_0_arm64")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"libcoremlpython import (\w+)", PYTHON))))
def test_every_class_that_coremltools_takes_from_its_native_half_is_in_the_wheel(name: str) -> None:
    assert name in CONTRACT["classes"]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"_MLModelProxy\.(\w+)", PYTHON))))
def test_every_function_that_coremltools_calls_on_the_class_is_static_there(name: str) -> None:
    (found,) = (each for each in CONTRACT["bindings"] if each["name"] == name)
    assert found["kind"] == "static"


@pytest.mark.parametrize(
    ("class_name", "name"), [(each, name) for each, names in NEEDED.items() for name in names]
)
def test_what_the_doctor_looks_for_is_in_the_wheel(class_name: str, name: str) -> None:
    assert (class_name, name) in NAMES


def test_a_compiled_model_is_constructed_with_as_many_arguments_as_the_wheel_takes() -> None:
    source = (Path(coremltools.__file__).parent / "models" / "_compiled_model.py").read_text(encoding="utf-8")
    call = re.search(r"self\._proxy = _MLModelProxy\(\s*(.*?)\s*\)", source, re.DOTALL)
    assert call is not None
    taken = [parameters(each["signature"]) for each in CONTRACT["bindings"] if each["name"] == "__init__"]
    assert ("%", "str", "str", "str", "dict", "object") in taken
    assert len(call[1].split(", ")) == 5


@pytest.mark.parametrize("signature", sorted({each["signature"] for each in CONTRACT["bindings"]}))
def test_every_signature_of_the_source_stands_in_the_compiled_module(signature: str) -> None:
    assert signature in CONTRACT["signatures"]


@pytest.mark.parametrize(
    "selector",
    [
        "compileModelAtURL:error:",
        "modelWithContentsOfURL:configuration:error:",
        "predictionFromFeatures:error:",
        "predictionFromFeatures:usingState:error:",
        "setFunctionName:",
        "loadContentsOfURL:configuration:completionHandler:",
        "estimatedCostOfMLProgramOperation:",
    ],
)
def test_the_module_sends_what_the_page_on_macs_says_it_does(selector: str) -> None:
    assert selector in CONTRACT["selectors"]


def test_states_and_functions_need_macos_15_and_plans_14_4() -> None:
    oldest: dict[str, Any] = CONTRACT["available_from"]
    assert {
        "state": macos_version(oldest["Stateful model"]),
        "functions": macos_version(oldest["The 'functionName' property"]),
        "compute plan": macos_version(oldest["MLComputePlan"]),
    } == AVAILABLE_FROM


def test_a_table_of_bindings_is_read_with_its_types_and_kinds() -> None:
    source = """
        py::class_<Box>(m, "_Box", py::module_local())
            .def(py::init<const std::string&, const py::object&>())
            .def_property_readonly("size", &Box::getSize)
            .def_static("open", &Box::open)
            .def("put", &Box::put);
    """
    header = """
        struct Box {
            inline int getSize() const {
                return 1;
            }
            static py::object open(const std::string& path);
            void put(const py::dict& things, State* state=NULL);
        };
    """
    classes, bindings = read_bindings(source, header)
    assert classes == ("_Box",)
    assert [(each.name, each.kind, each.signature) for each in bindings] == [
        ("__init__", "method", "({%}, {str}, {object}) -> None"),
        ("size", "property", "({%}) -> int"),
        ("open", "static", "({str}) -> object"),
        ("put", "method", "({%}, {dict}, {%}) -> None"),
    ]


STAND_IN = native_module("libcoremlpython", "fp16", None)
_PYTHON = {"str": str, "dict": dict, "list": list, "bytes": bytes, "object": object}


def test_the_stand_in_has_the_classes_of_the_wheel_and_no_other() -> None:
    classes = [name for name, value in vars(STAND_IN).items() if isinstance(value, type)]
    assert sorted(classes) == sorted(CONTRACT["classes"])


@pytest.mark.parametrize("name", CONTRACT["classes"])
def test_a_class_of_the_stand_in_offers_what_the_wheels_does_and_nothing_else(name: str) -> None:
    class_ = getattr(STAND_IN, name)
    offered = {each for type_ in class_.__mro__[:-1] for each in vars(type_) if not each.startswith("_")}
    wanted = {each["name"] for each in CONTRACT["bindings"] if each["class_name"] == name}
    assert offered - {"mode", "watch"} == wanted - {"__init__"}


@pytest.mark.parametrize(
    "binding", CONTRACT["bindings"], ids=lambda each: f"{each['class_name']}.{each['name']}"
)
def test_a_function_of_the_stand_in_has_the_arity_and_the_types_of_the_wheels(
    binding: dict[str, Any],
) -> None:
    class_ = getattr(STAND_IN, binding["class_name"])
    found = inspect.getattr_static(class_, binding["name"])
    wanted = parameters(binding["signature"])
    if binding["kind"] == "property":
        assert isinstance(found, property)
        return
    assert isinstance(found, staticmethod) == (binding["kind"] == "static")
    if binding["name"] == "__init__":
        inspect.signature(found).bind(*wanted)
        return
    function = getattr(class_, binding["name"])
    taken = tuple(inspect.signature(function).parameters.values())
    assert {each.kind for each in taken} <= {inspect.Parameter.POSITIONAL_ONLY}
    assert all(each.default is inspect.Parameter.empty for each in taken)
    assert len(taken) == len(wanted)
    types = function.types if binding["kind"] == "static" else (class_, *function.types)
    for type_, name in zip(types, wanted, strict=True):
        assert name == "%" or type_ is _PYTHON[name]


def test_the_stand_in_needs_the_macos_that_the_wheel_needs() -> None:
    source = inspect.getsource(native) + inspect.getsource(compute_plan)
    told = re.findall(r'only_from\("([^"]+)", "([\d.]+)"', source)
    assert len(told) >= 3
    for what, version_ in told:
        assert CONTRACT["available_from"][what] == version_
