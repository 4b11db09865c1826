"""Operations in a form that coremltools 9.0 rejects, and what to write instead."""

from typing import Final

from coreml_gate.conversion.refusal_cause import Cause

OPERATION_CAUSES: Final[tuple[Cause, ...]] = (
    # Versions of torch, numpy and coremltools that do not fit together
    Cause(
        r"only 0-dimensional arrays can be converted|only (length-1|size-1) arrays",
        "coremltools 9.0 does not work with numpy 2.4 and later (apple/coremltools#2632)",
        "pin `numpy<2.4`.",
    ),
    Cause(
        r"Unable to determine the type of the model",
        "coremltools 9.0 does not support what torch.export of this torch version returns",
        "install torch 2.7 or later, the oldest that this gate is tested with.",
    ),
    Cause(
        r"only ATEN or EDGE dialect",
        "the program was exported for training",
        "export the module in eval mode, and save `program.run_decompositions({})`.",
    ),
    Cause(
        r"got \d+ input\(s\), expected",
        "the converter does not support this form of the operation: it expects other arguments",
        "write the operation in its simplest form, or with other operations.",
        vague=True,
    ),
    Cause(
        r"not a valid model hierarchy string",
        "the TorchScript file was written by a torch version that names modules differently",
        "save the file again with the installed torch, or name the callable that builds the module.",
    ),
    # Convolution
    Cause(
        r"'NoneType' object is not iterable|padding=0 and output_padding > 0",
        "`output_padding` with `padding = 0` has no converter (apple/coremltools#2377)",
        "leave `output_padding` out and pad the result with the bias (`F.pad`), or use `padding=1` and "
        "`kernel_size=4`.",
        ("conv_transpose*", "_convolution", "convolution"),
    ),
    Cause(
        r"output_padding is supported only for",
        "`output_padding` of a transposed 3-D convolution has no converter",
        "leave `output_padding` out and pad the result (`F.pad`).",
    ),
    Cause(
        r"torch (conv )?(stride|padding|dilation|groups|out_padding) must be constant",
        "an argument of the convolution is computed at run time",
        "give stride, padding, dilation and groups as numbers.",
    ),
    Cause(
        r"dynamic weights does not support dilations",
        "a convolution whose weights are computed cannot be dilated in Core ML",
        "make the weights a parameter, or use `dilation=1`.",
    ),
    # Pooling and resizing
    Cause(
        r"KeyError: (np\.int32\()?2\b",
        "Core ML samples a grid by nearest or linear interpolation, not by cubic",
        'use `mode="bilinear"` or `"nearest"`.',
        ("grid_sampler*",),
    ),
    Cause(
        r"max_pool does not support dilation",
        "Core ML's max pooling has no dilation",
        "take the maximum of the slices in the window; for 3 x 3 with a dilation of 2 and a stride of 1: "
        "`torch.stack([x[..., i : i + h - 4, j : j + w - 4] for i in (0, 2, 4) for j in (0, 2, 4)])"
        ".amax(0)`.",
    ),
    Cause(
        r"ceil mode=True and include_pad=True not supported",
        "a 3-D average pool cannot round up and count its padding",
        "use `ceil_mode=False`, or `count_include_pad=False`.",
    ),
    Cause(
        r"divisor_override is not supported",
        "average pooling divides by the size of its window in Core ML",
        "leave `divisor_override` out and multiply the result.",
    ),
    Cause(
        r"Padding must be symmetric if ceil_mode|ceil_mode must be False when",
        "Core ML rounds up only with the same padding on both sides",
        "use `ceil_mode=False` and pad before (`F.pad`).",
    ),
    Cause(
        r"Adaptive pooling is only supported when input tensor size is known",
        "the windows of an adaptive pool follow the size of its input, which is flexible",
        "fix that size in `shape` or enumerate `shapes`; an output size of 1 works for every size.",
    ),
    Cause(
        r"recompute_scale_factor = False, align_corners = False with float output size",
        "`scale_factor` gives an output size that is not a whole multiple, which Core ML does not support",
        "pass `recompute_scale_factor=True`, or `size=` in place of `scale_factor`.",
    ),
    Cause(
        r"Unable to map torch_upsample",
        "the size of the result is computed at run time from another value than the input, so that the ratio "
        "of the sizes is not known",
        "sample `x` at the points of the result: with `one` as ones of the size `(h, w)`, made by "
        "`torch.ones_like(y[0, 0])`, and `rows, columns = ((one.cumsum(a) - 0.5) / y.shape[a + 2] * 2 - 1 "
        "for a in (0, 1))`, bilinear resizing is `F.grid_sample(x, torch.stack([columns, rows], -1)[None], "
        'padding_mode="border", align_corners=False)`.',
    ),
    Cause(
        r"Only 1d and 2d unsampling|must have rank 4",
        "Core ML resizes along one or two axes",
        "resize two axes, move the third one with `permute`, and resize again.",
        ("upsample*",),
    ),
    Cause(
        r"'sampling_mode' not supported",
        "`grid_sample` has no bicubic mode in Core ML",
        'use `mode="bilinear"` or `"nearest"`.',
    ),
    Cause(
        r"'padding_mode' not supported",
        "this padding of `grid_sample` has no counterpart in Core ML",
        'use `padding_mode="zeros"`, `"border"` or `"reflection"`.',
    ),
    Cause(
        r"must agree on 'align_corners'",
        "`affine_grid` and `grid_sample` have different `align_corners`, and become one operation",
        "pass both the same `align_corners`.",
    ),
    Cause(
        r"must be a rank 4 tensor",
        "Core ML samples grids of images, of 4 axes",
        "sample two slices of the volume with `F.grid_sample` and mix them.",
        ("grid_sampler*",),
    ),
    Cause(
        r"pad must be non-negative",
        "Core ML can only add borders, not remove them",
        "use slices, such as `x[..., 1:-1]`, instead of negative padding.",
    ),
    # Axes and shapes
    Cause(
        r"axis should be in the range",
        "the converter counts a negative `dim` from the end only for -1",
        "count `dim` from the front: `dim=0` is the first axis.",
        ("cumsum", "logcumsumexp", "_logcumsumexp", "cumprod"),
    ),
    Cause(
        r"axis (should be|must) in|axes must in the range|invalid dim",
        "the converter does not support this `dim`",
        "count `dim` from the front: `dim=0` is the first axis.",
    ),
    Cause(
        r"expression to float|must have the same data type|number of splits|object has no attribute 'val'",
        "the sizes of the pieces follow a flexible axis, and Core ML needs them as numbers",
        "fix that axis in `shape` or enumerate `shapes`, or slice: `x[:, : n // 2]`.",
        ("split*", "chunk", "constantchunk", "unsafe_split*", "unsafe_chunk", "unbind", "tensor_split*"),
    ),
    Cause(
        r"only supports tensors? (with )?rank <= 5",
        "a value has more than 5 axes, which is Core ML's greatest rank",
        "merge axes with `reshape` before it, and split them afterwards.",
    ),
    Cause(
        r"Only supports rank=4 input data for im2col",
        "`unfold` has a converter for images of 4 axes only",
        "add the missing axis with `unsqueeze(0)`.",
    ),
    Cause(
        r"col2im \(fold\)",
        "`fold` has a converter for two axes without overlap only",
        "use `F.conv_transpose2d` with a constant kernel.",
    ),
    Cause(
        r"Invalid start and end|Start must be before end",
        "`flatten` starts after its last axis",
        "give `start_dim` and `end_dim` in order.",
    ),
    Cause(
        r"transpose without dims for rank > 2",
        "`.t()` of more than two axes",
        "use `transpose(a, b)` or `permute`.",
    ),
    Cause(
        r"'dim' must be provided",
        "`unflatten` has no `dim`",
        "pass `dim=` to `unflatten`.",
    ),
    Cause(
        r"Reshape to empty shape works only for",
        "a tensor of several elements is made a scalar",
        "reduce it first, as with `mean()`.",
    ),
    Cause(
        r"Only offset == 0 and dim1 == 0 and dim2 == 1",
        "`diagonal` has a converter for the first two axes only",
        "permute these axes to the front, or multiply with `torch.eye(n)` and sum.",
    ),
    Cause(
        r"`dims` input for torch\.tile must be static",
        "how often a tensor is repeated is computed at run time",
        "use `expand`, or repeat by a number.",
    ),
    Cause(
        r"meshgrid received non-1d|Requires >= 2 tensor inputs|indexing mode",
        "`meshgrid` has a converter for at least two vectors, and for `ij` and `xy`",
        "use `torch.arange(n)[:, None]` and `[None]` in its place.",
    ),
    Cause(
        r"Dynamic padding for n-dimensional",
        "the padding depends on a flexible size, which Core ML supports only for tensors of rank 1",
        "join what is added: `torch.cat([torch.zeros_like(x[..., :1]), x, torch.zeros_like(x)], -1)`, or fix "
        "the size in `shape`.",
    ),
    Cause(
        r"mode in \('circular'|Pad mode should be one of",
        "Core ML has no such padding",
        'use `mode="constant"`, `"reflect"` or `"replicate"`.',
    ),
    Cause(
        r"Matrix norm is not defined",
        "this matrix norm has no converter",
        "use the Frobenius norm, or write it with sums.",
    ),
    Cause(
        r"Encountered invalid input rank",
        "batch normalisation takes 2 to 5 axes",
        "reshape before and after it.",
    ),
    Cause(
        r"unsupported operand type\(s\) for [+-]: 'NoneType'",
        "where a piece begins is computed at run time",
        "take it by its indices: `x[:, start + torch.arange(size)]`.",
        ("narrow", "slice", "select"),
    ),
    # Writing in place
    Cause(
        r"No matching select or slice",
        "a trace writes in place to a tensor that is not a slice of another",
        "write `torch.full_like(x, value)` for `x.fill_(value)`, and assign for `copy_`.",
    ),
    Cause(
        r"does not support dynamic index|Only compile time known dim",
        "the written position is computed at run time",
        "use `torch.where` with a mask.",
    ),
    Cause(
        r"If there existed any whole slice",
        "values are added at indices along some axes, and to whole slices along others",
        "use `scatter_add` along one axis.",
    ),
    Cause(
        r"Unsupported index_put_ usage|index shape .* must match input shape",
        "the mask of a write has another rank than the tensor",
        "use `torch.where(mask, value, x)` with a mask of the tensor's shape.",
    ),
    Cause(
        r"Only bool and int index handled",
        "an index is neither a whole number nor a mask",
        "index with `.long()` or `.bool()`.",
    ),
    Cause(
        r"cannot handle user input mutation",
        "forward writes into an input",
        "write `x = x.clone()` at its start.",
    ),
    Cause(
        r"doesn't yet support append op inside conditional|can only append to Python list",
        "a list grows inside a branch or loop of the script",
        "collect the values with `torch.stack` outside of it.",
    ),
)
"""Errors of single operations (convolution, pooling, resizing, axes, in-place writes), by their messages."""
