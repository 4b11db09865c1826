"""Small packages of every program form, the ground that the fuzz mutates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import types

Make = Callable[[Path], None]


def _convert(body: Callable[..., Any], *specs: Any, target: Any = ct.target.iOS18, **options: Any) -> Any:
    program = Builder.program(input_specs=list(specs), opset_version=target)(body)
    return ct.convert(program, minimum_deployment_target=target, **options)


def _weights(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def _dense(path: Path, **options: Any) -> None:
    """Convolution, normalization and matrix products, with weights in the file."""

    def body(x: Any) -> Any:
        grown = Builder.conv(x=x, weight=_weights(8, 3, 3, 3), pad_type="same", strides=[2, 2])
        normal = Builder.layer_norm(x=Builder.relu(x=grown), axes=[-1], gamma=_weights(4))
        pooled = Builder.reduce_mean(
            x=Builder.max_pool(x=normal, kernel_sizes=[2, 2], pad_type="valid"), axes=[2, 3]
        )
        return Builder.softmax(
            x=Builder.linear(x=pooled, weight=_weights(16, 8), bias=_weights(16)), name="y"
        )

    _convert(body, Builder.TensorSpec((1, 3, 8, 8)), target=ct.target.iOS16, **options).save(str(path))


def float32_twin(path: Path) -> None:
    """The first form in float32, as a run leaves it beside the package that ships."""
    _dense(path, compute_precision=ct.precision.FLOAT32)


def _tensors(path: Path) -> None:
    """Indices, slices and shapes, much of it steered by integers in the program."""

    def body(x: Any, places: Any) -> Any:
        taken = Builder.gather(x=x, indices=places, axis=1)
        best, _ = Builder.topk(x=taken, k=2, axis=1)
        cut = Builder.slice_by_index(x=x, begin=[0, 1, 0], end=[2, 4, 5], stride=[1, 2, 1])
        row = Builder.reshape(x=cut, shape=[2, -1])
        wide = Builder.tile(x=Builder.pad(x=row, pad=[0, 0, 1, 2]), reps=[1, 2])
        windows = Builder.sliding_windows(x=wide, axis=1, size=3, stride=2)
        order = Builder.transpose(x=windows, perm=[1, 0, 2])
        large = Builder.resize_bilinear(
            x=Builder.expand_dims(x=order, axes=[0]), target_size_height=4, target_size_width=5
        )
        halves = Builder.split(x=large, num_splits=2, axis=2)
        spread = Builder.scatter(data=x, indices=places, updates=taken, axis=1)
        total = Builder.cumsum(x=Builder.concat(values=halves, axis=3), axis=0)
        return Builder.identity(x=total, name="y"), Builder.identity(x=best, name="z"), spread

    _convert(body, Builder.TensorSpec((2, 4, 5)), Builder.TensorSpec((3,), dtype=types.int32)).save(str(path))


def _flow(path: Path) -> None:
    """A branch, a loop, a list that the loop fills."""

    def body(x: Any, step: Any) -> Any:
        kept = Builder.make_list(init_length=1, dtype="fp32", elem_shape=(2,))

        def more(value: Any, place: Any, _: Any) -> Any:
            return Builder.logical_and(
                x=Builder.less(x=Builder.reduce_sum(x=value), y=10.0), y=Builder.less(x=place, y=np.int32(5))
            )

        def advance(value: Any, place: Any, found: Any) -> Any:
            grown = Builder.add(x=value, y=step)
            return (
                grown,
                Builder.add(x=place, y=np.int32(1)),
                Builder.list_write(ls=found, index=place, value=grown),
            )

        end, count, found = Builder.while_loop(_cond=more, _body=advance, loop_vars=(x, np.int32(0), kept))
        last = Builder.list_read(ls=found, index=Builder.sub(x=count, y=np.int32(1)))
        large = Builder.greater(x=Builder.reduce_sum(x=end), y=11.0)
        return Builder.cond(
            pred=large,
            _true_fn=lambda: Builder.mul(x=last, y=-1.0),
            _false_fn=lambda: Builder.add(x=end, y=last),
            name="y",
        )

    _convert(body, Builder.TensorSpec((2,)), Builder.TensorSpec((1,)), target=ct.target.iOS17).save(str(path))


def _state(path: Path) -> None:
    """A cache that each prediction adds to."""

    def body(x: Any, memory: Any) -> Any:
        before = Builder.read_state(input=memory)
        after = Builder.slice_update(x=before, update=x, begin=[1, 0], end=[2, 4])
        kept = Builder.coreml_update_state(state=memory, value=after)
        product = Builder.scaled_dot_product_attention(
            query=Builder.expand_dims(x=x, axes=[0]),
            key=Builder.expand_dims(x=kept, axes=[0]),
            value=Builder.expand_dims(x=kept, axes=[0]),
        )
        return Builder.add(x=product, y=np.float16(1), name="y")

    specs = Builder.TensorSpec((1, 4), dtype=types.fp16), Builder.StateTensorSpec((3, 4), dtype=types.fp16)
    _convert(body, *specs).save(str(path))


def _functions(path: Path) -> None:
    """Two functions that share a weight."""
    description = ct.utils.MultiFunctionDescriptor()
    for name, factor in (("first", 2.0), ("second", 3.0)):
        part = str(path.with_name(f"{name}.mlpackage"))
        _convert(_scaled(factor), Builder.TensorSpec((1, 8))).save(part)
        description.add_function(part, "main", name)
    description.default_function_name = "second"
    ct.utils.save_multifunction(description, str(path))


def _scaled(factor: float) -> Callable[[Any], Any]:
    return lambda x: Builder.mul(x=Builder.linear(x=x, weight=_weights(40, 8)), y=factor, name="y")


def _compressed(path: Path) -> None:
    """Tables, blocks and sparse weights of iOS 18."""
    generator = np.random.default_rng(0)

    def body(x: Any) -> Any:
        table = Builder.constexpr_lut_to_dense(
            indices=generator.integers(0, 16, (32, 16)).astype(types.np_uint4_dtype),
            lut=generator.standard_normal((2, 1, 16, 1)).astype(np.float16),
        )
        blocks = Builder.constexpr_blockwise_shift_scale(
            data=generator.integers(-8, 8, (16, 32)).astype(types.np_int4_dtype),
            scale=generator.uniform(0.1, 1, (16, 4)).astype(np.float16),
        )
        mask = (generator.random((16, 16)) < 0.5).astype(types.np_uint1_dtype)
        sparse = Builder.constexpr_sparse_to_dense(
            nonzero_data=generator.standard_normal(int(mask.astype(int).sum())).astype(np.float16), mask=mask
        )
        hidden = Builder.linear(x=x, weight=table)
        return Builder.linear(x=Builder.linear(x=hidden, weight=blocks), weight=sparse, name="y")

    _convert(body, Builder.TensorSpec((2, 16), dtype=types.fp16)).save(str(path))


def _pipeline(path: Path) -> None:
    first = _convert(
        lambda x: Builder.linear(x=x, weight=_weights(8, 40), name="h"), Builder.TensorSpec((1, 40))
    )
    last = _convert(lambda h: Builder.exp(x=h, name="y"), Builder.TensorSpec((1, 8)))
    ct.utils.make_pipeline(first, last).save(str(path))


def _classifier(path: Path) -> None:
    """An image of one of three sizes in, a label and its probabilities out."""

    class Net(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.softmax(image.mean((2, 3)), -1)

    traced = torch.jit.trace(Net().eval(), torch.rand(1, 3, 4, 6))
    sizes = ct.EnumeratedShapes([(1, 3, 4, 6), (1, 3, 8, 6), (1, 3, 8, 8)], default=(1, 3, 4, 6))
    image = ct.ImageType("image", shape=sizes, scale=1 / 255, bias=[-0.1, -0.2, -0.3])
    labels = ct.ClassifierConfig(["cat", "dog", "bird"])
    target = ct.target.iOS16
    ct.convert(traced, inputs=[image], classifier_config=labels, minimum_deployment_target=target).save(
        str(path)
    )


def _images(path: Path) -> None:
    """Grayscale in half precision in, colours out."""

    class Net(torch.nn.Module):
        def forward(self, gray: torch.Tensor) -> torch.Tensor:
            return torch.cat((gray, gray * 0.5, 255 - gray), 1)

    traced = torch.jit.trace(Net().eval(), torch.rand(1, 1, 4, 5))
    gray = ct.ImageType("gray", shape=(1, 1, 4, 5), color_layout=ct.colorlayout.GRAYSCALE_FLOAT16)
    colours = ct.ImageType("colours", color_layout=ct.colorlayout.RGB)
    target = ct.target.iOS17
    ct.convert(traced, inputs=[gray], outputs=[colours], minimum_deployment_target=target).save(str(path))


def _flexible(path: Path) -> None:
    """Recurrent, with a length that the caller chooses, and an input that may be left out."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(4, 3)

        def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
            return self.lstm(x)[0] + bias

    with torch.no_grad():
        traced = torch.jit.trace(Net().eval(), (torch.rand(5, 1, 4), torch.rand(3)), check_trace=False)
    inputs = [
        ct.TensorType("x", shape=(ct.RangeDim(1, 9, default=5), 1, 4)),
        ct.TensorType("bias", shape=(3,), default_value=np.ones(3, np.float32)),
    ]
    ct.convert(traced, inputs=inputs, minimum_deployment_target=ct.target.iOS17).save(str(path))


def _gru(path: Path) -> None:
    """A layer that coremltools writes as a loop over lists, and that the runtime finds in the loop."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = torch.nn.GRU(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.gru(x)[0]

    with torch.no_grad():
        traced = torch.jit.trace(Net().eval(), torch.rand(5, 1, 4), check_trace=False)
    inputs = [ct.TensorType("x", shape=(5, 1, 4))]
    ct.convert(traced, inputs=inputs, minimum_deployment_target=ct.target.iOS17).save(str(path))


FORMS: dict[str, Make] = {
    "dense": _dense,
    "tensors": _tensors,
    "flow": _flow,
    "gru": _gru,
    "state": _state,
    "functions": _functions,
    "compressed": _compressed,
    "pipeline": _pipeline,
    "classifier": _classifier,
    "images": _images,
    "flexible": _flexible,
}
