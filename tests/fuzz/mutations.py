"""Ways to damage a package: each takes its parts and leaves them wrong in one place."""

import dataclasses
import json
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Message = Any  # generated protobuf classes carry no types

_HEADER = 64
_MANIFEST = "Manifest.json"
_SPECIFICATION = "Data/com.apple.CoreML/model.mlmodel"
_SENTINEL = struct.pack("<I", 0xDEADBEEF)
_ABSURD = (0, 1, 2, 3, 7, 255, 65_537, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, 2**64 - 1, -1, -2, -(2**63))
_FLOATS = (0.0, -1.0, 1e-40, 3e38, float("inf"), float("-inf"), float("nan"))


@dataclass(slots=True)
class Parts:
    """What a mutation may change: the specification and the bytes of the other files by their path."""

    spec: Message
    files: dict[str, bytes]
    cut: int | None = None
    """How many bytes of the written specification are left; ``None`` for all."""
    links: dict[str, str] = dataclasses.field(default_factory=dict)
    """Symbolic links that take the place of files: path and target."""


Mutation = Callable[[Parts, random.Random], None]


def drop_field(parts: Parts, rng: random.Random) -> None:
    """Any message anywhere loses a field."""
    message, field = rng.choice(list(_fields(parts.spec)))
    message.ClearField(field.name)


def drop_operation(parts: Parts, rng: random.Random) -> None:
    """An operation is gone, its readers are not."""
    block = _block(parts, rng)
    del block.operations[rng.randrange(len(block.operations))]


def change_number(parts: Parts, rng: random.Random) -> None:
    """A number in the specification becomes another, often an absurd one."""
    message, field = rng.choice([site for site in _fields(parts.spec) if _is_number(site[1])])
    numbers = _FLOATS if field.cpp_type in {field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT} else _ABSURD
    _set(message, field, rng, rng.choice(numbers))


def change_constant(parts: Parts, rng: random.Random) -> None:
    """A shape, an axis, a stride or another small constant has another value."""
    tensors = [item.attributes["val"] for item in _operations(parts) if "val" in item.attributes]
    tensor = rng.choice(tensors).immediateValue.tensor
    kind = tensor.WhichOneof("value")
    if kind == "bytes":
        tensor.bytes.values = rng.randbytes(len(tensor.bytes.values))
    elif kind == "strings":
        tensor.strings.values[0] = rng.choice(("", "fp32", "int32", "valid", "same", "add", "no such"))
    elif kind is not None and getattr(tensor, kind).values:
        values = getattr(tensor, kind).values
        values[rng.randrange(len(values))] = _fitting(kind, rng)


def rename_text(parts: Parts, rng: random.Random) -> None:
    """A text becomes another one that occurs in the specification, or none that does."""
    texts = [site for site in _fields(parts.spec) if site[1].cpp_type == site[1].CPPTYPE_STRING]
    texts = [(message, field) for message, field in texts if field.type != field.TYPE_BYTES]
    message, field = rng.choice(texts)
    other, same = rng.choice(texts)
    known = getattr(other, same.name)
    _set(
        message,
        field,
        rng,
        rng.choice(("", "no\0name", "é" * 300, known if isinstance(known, str) else known[0])),
    )


def retype_value(parts: Parts, rng: random.Random) -> None:
    """A value has another element type, or is a list, a state or a dictionary."""
    value = rng.choice(_values(parts)).type
    kind = rng.choice(("tensorType", "listType", "stateType", "dictionaryType", "tupleType"))
    if kind == "tensorType" and value.WhichOneof("type") == "tensorType":
        value.tensorType.dataType = rng.choice((0, 1, 2, 10, 11, 12, 13, 21, 23, 25, 35, 37, 99))
    else:
        getattr(value, kind).SetInParent()


def retype_operation(parts: Parts, rng: random.Random) -> None:
    """An operation has the type of another one."""
    operations = _operations(parts)
    rng.choice(operations).type = rng.choice(operations).type


def reorder_operations(parts: Parts, rng: random.Random) -> None:
    """Two operations have changed places: one may read what is not there yet."""
    operations = _block(parts, rng).operations
    first, second = (operations[rng.randrange(len(operations))] for _ in range(2))
    kept = type(first)()
    kept.CopyFrom(first)
    first.CopyFrom(second)
    second.CopyFrom(kept)


def make_cycle(parts: Parts, rng: random.Random) -> None:
    """An operation reads what it gives itself, or what one behind it gives."""
    block = _block(parts, rng)
    readers = [n for n, item in enumerate(block.operations) if item.inputs]
    if not readers:
        return
    place = rng.choice(readers)
    behind = [value.name for item in block.operations[place:] for value in item.outputs]
    argument = rng.choice(list(block.operations[place].inputs.values()))
    if argument.arguments and behind:
        rng.choice(argument.arguments).name = rng.choice(behind)


def duplicate_name(parts: Parts, rng: random.Random) -> None:
    """Two values have one name."""
    values = _values(parts)
    rng.choice(values).name = rng.choice(values).name


def huge_shape(parts: Parts, rng: random.Random) -> None:
    """A declared dimension is absurd, in the program or in the interface, or in both."""
    sites = [site for site in _fields(parts.spec) if _is_size(*site)]
    for message, field in rng.sample(sites, min(len(sites), rng.choice((1, 1, 2, len(sites))))):
        _set(message, field, rng, rng.choice((2**20, 2**31, 2**40, 2**62)))


def negative_dimension(parts: Parts, rng: random.Random) -> None:
    """A declared dimension is negative, where the format has a sign for it."""
    sites = [site for site in _fields(parts.spec) if _is_size(*site)]
    message, field = rng.choice(sites)
    _set(message, field, rng, rng.choice((-1, -7, -(2**40))))


def open_dimension(parts: Parts, rng: random.Random) -> None:
    """A dimension, or even the rank, is not known."""
    types = [item.type.tensorType for item in _values(parts) if item.type.WhichOneof("type") == "tensorType"]
    dimensions = [dimension for item in types for dimension in item.dimensions]
    if dimensions:
        rng.choice(dimensions).unknown.variadic = rng.random() < 0.5


def swap_outputs(parts: Parts, rng: random.Random) -> None:
    """A block gives its outputs in another order, or others."""
    block = _block(parts, rng)
    names = [value.name for item in block.operations for value in item.outputs]
    if len(block.outputs) > 1 and rng.random() < 0.5:
        block.outputs[0], block.outputs[1] = block.outputs[1], block.outputs[0]
    elif block.outputs:
        block.outputs[rng.randrange(len(block.outputs))] = rng.choice(names)


def swap_blocks(parts: Parts, rng: random.Random) -> None:
    """An operation has no block, one too many, or those of another."""
    operation = rng.choice(_operations(parts))
    holders = [item for item in _operations(parts) if item.blocks] or [_block(parts, rng)]
    donor = rng.choice(holders)
    block = donor if not hasattr(donor, "blocks") else donor.blocks[-1]
    copy = type(block)()
    copy.CopyFrom(block)
    if operation.blocks and rng.random() < 0.5:
        operation.blocks.pop()
    else:
        operation.blocks.append(copy)


def swap_arguments(parts: Parts, rng: random.Random) -> None:
    """An operation reads another value, or one argument more or fewer."""
    arguments = [item for operation in _operations(parts) for item in operation.inputs.values()]
    chosen, other = rng.choice(arguments), rng.choice(arguments)
    match rng.randrange(3):
        case 0:
            chosen.arguments.extend(list(other.arguments))
        case 1 if chosen.arguments:
            chosen.arguments.pop()
        case _:
            chosen.CopyFrom(other)


def wrong_offset(parts: Parts, rng: random.Random) -> None:
    """A weight begins elsewhere: between the values, past the end of the file, or at another weight."""
    blobs = _blobs(parts)
    if blobs:
        end = max(map(len, parts.files.values()))
        places = (
            0,
            1,
            63,
            64,
            end - 1,
            end,
            end + 1,
            2**40,
            2**63,
            2**64 - 1,
            rng.choice(blobs).offset,
            rng.randrange(end),
        )
        rng.choice(blobs).offset = rng.choice(places)


def wrong_file(parts: Parts, rng: random.Random) -> None:
    """A weight lies in a file that is not there, or not the package's."""
    blobs = _blobs(parts)
    if blobs:
        names = (
            "",
            "@model_path/",
            "@model_path/../../../../../etc/passwd",
            "/dev/zero",
            "@model_path/model.mlmodel",
        )
        rng.choice(blobs).fileName = rng.choice(names)


def damage_blob(parts: Parts, rng: random.Random) -> None:
    """A value's header in the weight file claims another type, size or place."""
    name, data = _weight_file(parts, rng)
    starts = [place for place in range(0, len(data) - 24, 8) if data[place : place + 4] == _SENTINEL]
    if starts:
        field, shape = rng.choice(((0, "<I"), (4, "<I"), (8, "<Q"), (16, "<Q")))
        number = rng.choice([value for value in _ABSURD if 0 <= value < 256 ** struct.calcsize(shape)])
        changed = bytearray(data)
        struct.pack_into(shape, changed, rng.choice(starts) + field, number)
        parts.files[name] = bytes(changed)


def damage_header(parts: Parts, rng: random.Random) -> None:
    """The weight file's own header is another."""
    name, data = _weight_file(parts, rng)
    parts.files[name] = rng.randbytes(8) + data[8:]


def damage_bytes(parts: Parts, rng: random.Random) -> None:
    """Some bytes of a file beside the specification are others: weights become NaN, the manifest nonsense."""
    name = rng.choice(sorted(parts.files))
    changed = bytearray(parts.files[name])
    for _ in range(min(len(changed), 1 + rng.randrange(16))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    parts.files[name] = bytes(changed)


def cut_file(parts: Parts, rng: random.Random) -> None:
    """A file ends early, or is not there."""
    name = rng.choice(sorted(parts.files))
    if rng.random() < 0.1:
        del parts.files[name]
    else:
        parts.files[name] = parts.files[name][: rng.randrange(len(parts.files[name]))]


def cut_specification(parts: Parts, rng: random.Random) -> None:
    """The specification ends early."""
    parts.cut = rng.randrange(parts.spec.ByteSize())


def twist_manifest(parts: Parts, rng: random.Random) -> None:
    """The manifest is nested too deep, names a path with a NUL, a folder above, or holds no texts."""
    try:
        manifest = json.loads(parts.files.get(_MANIFEST, b""))
    except (ValueError, RecursionError):  # another mutation was here
        return
    entries, root = manifest.get("itemInfoEntries"), manifest.get("rootModelIdentifier")
    entry = entries.get(root) if isinstance(entries, dict) and isinstance(root, str) else None
    if not isinstance(entry, dict):
        return
    twisted: tuple[Callable[[], object], ...] = (
        lambda: entry.update(path="com.apple\0CoreML/model.mlmodel"),
        lambda: entry.update(path="../../../../etc/passwd"),
        lambda: entry.update(path=["com.apple.CoreML", "model.mlmodel"]),
        lambda: entry.update(path="x" * 5000),
        lambda: manifest.update(rootModelIdentifier={"a": 1}),
        lambda: manifest.update(itemInfoEntries=[entry]),
        lambda: manifest.update(itemInfoEntries=None),
    )
    rng.choice(twisted)()
    text = json.dumps(manifest)
    depth = rng.choice((0, 0, 200_000))
    parts.files[_MANIFEST] = ("[" * depth + text + "]" * depth).encode()


def leave_by_link(parts: Parts, rng: random.Random) -> None:
    """A file of the package is a link to one outside, to itself, to a folder or to a device."""
    name = rng.choice([_SPECIFICATION, *(name for name in sorted(parts.files) if name != _MANIFEST)])
    parts.links[name] = rng.choice(
        ("/etc/passwd", "/dev/zero", "/dev/tty", name.rpartition("/")[2], "/", ".")
    )


def nest_blocks(parts: Parts, rng: random.Random) -> None:
    """An operation holds a block in a block in a block, deeper than protobuf's own limit or just not."""
    operation = rng.choice(_operations(parts))
    for _ in range(rng.choice((5, 30, 90))):
        block = operation.blocks.add()
        operation = block.operations.add(type="cond")


def grow_text(parts: Parts, rng: random.Random) -> None:
    """A constant of numbers holds texts, or one text where many elements are declared."""
    tensors = [item.attributes["val"] for item in _operations(parts) if "val" in item.attributes]
    tensor = rng.choice(tensors).immediateValue.tensor
    tensor.strings.values.extend(["a"] * rng.choice((1, 1, 2, 1000)))


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        drop_field,
        drop_operation,
        change_number,
        change_constant,
        rename_text,
        retype_value,
        retype_operation,
        reorder_operations,
        make_cycle,
        duplicate_name,
        huge_shape,
        negative_dimension,
        open_dimension,
        swap_outputs,
        swap_blocks,
        swap_arguments,
        wrong_offset,
        wrong_file,
        damage_blob,
        damage_header,
        damage_bytes,
        cut_file,
        cut_specification,
        twist_manifest,
        leave_by_link,
        nest_blocks,
        grow_text,
    )
}


def _fields(message: Message) -> Iterator[tuple[Message, Any]]:
    """Every field that is set, of the message and of all within it."""
    for field, value in message.ListFields():
        yield message, field
        if field.cpp_type != field.CPPTYPE_MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            entries = value.values() if field.message_type.fields_by_name["value"].message_type else ()
        else:
            entries = value if _repeated(field) else (value,)
        for entry in entries:
            yield from _fields(entry)


def _repeated(field: Any) -> bool:
    return field.label == field.LABEL_REPEATED if hasattr(field, "label") else field.is_repeated


def _is_number(field: Any) -> bool:
    return field.cpp_type not in {field.CPPTYPE_MESSAGE, field.CPPTYPE_STRING}


def _is_size(message: Message, field: Any) -> bool:
    return field.name in {"size", "shape", "lowerBound", "upperBound", "height", "width"} and _is_number(
        field
    )


def _set(message: Message, field: Any, rng: random.Random, value: Any) -> None:
    """The field, or one of its elements, is ``value``; unchanged where its type has no such value."""
    try:
        if _repeated(field):
            elements = getattr(message, field.name)
            elements[rng.randrange(len(elements))] = value
        else:
            setattr(message, field.name, value)
    except (ValueError, TypeError, OverflowError):
        return


def _fitting(kind: str, rng: random.Random) -> Any:
    if kind in {"floats", "doubles"}:
        return rng.choice(_FLOATS)
    if kind == "bools":
        return rng.random() < 0.5
    limit = 2**31 if kind == "ints" else 2**63
    return rng.choice([value for value in _ABSURD if -limit <= value < limit])


def _programs(parts: Parts) -> list[Message]:
    kind = parts.spec.WhichOneof("Type")
    models = parts.spec.pipeline.models if kind == "pipeline" else (parts.spec,)
    return [model.mlProgram for model in models]


def _blocks(block: Message) -> Iterator[Message]:
    yield block
    for operation in block.operations:
        for nested in operation.blocks:
            yield from _blocks(nested)


def _all_blocks(parts: Parts) -> list[Message]:
    return [
        nested
        for program in _programs(parts)
        for function in program.functions.values()
        for block in function.block_specializations.values()
        for nested in _blocks(block)
        if nested.operations
    ]


def _block(parts: Parts, rng: random.Random) -> Message:
    return rng.choice(_all_blocks(parts))


def _operations(parts: Parts) -> list[Message]:
    return [operation for block in _all_blocks(parts) for operation in block.operations]


def _values(parts: Parts) -> list[Message]:
    """What operations give and functions and blocks take."""
    functions = [function for program in _programs(parts) for function in program.functions.values()]
    holders = [
        *((function.inputs) for function in functions),
        *(block.inputs for block in _all_blocks(parts)),
    ]
    holders += [operation.outputs for operation in _operations(parts)]
    return [value for holder in holders for value in holder]


def _blobs(parts: Parts) -> list[Message]:
    operations = _operations(parts)
    held = [value for item in operations for value in item.attributes.values()]
    held += [
        bound.value for item in operations for value in item.inputs.values() for bound in value.arguments
    ]
    return [value.blobFileValue for value in held if value.WhichOneof("value") == "blobFileValue"]


def _weight_file(parts: Parts, rng: random.Random) -> tuple[str, bytes]:
    names = [name for name in sorted(parts.files) if name.endswith(".bin")]
    return (name := rng.choice(names or sorted(parts.files))), parts.files[name]
