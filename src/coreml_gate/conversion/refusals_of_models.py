"""Types, values, inputs and code that the converter or torch's capture rejects, and what to write instead."""

from typing import Final

from coreml_gate.conversion.refusal_cause import Cause

MODEL_CAUSES: Final[tuple[Cause, ...]] = (
    # Integers, types and values
    Cause(
        r"KeyError: (torch\.bfloat16|(np\.int32\()?15\b)|_autocast_to_reduced_precision",
        "Core ML has no bfloat16, which `torch.autocast` or a cast uses here",
        "disable `torch.autocast` while the model is converted (`enabled=False`), or cast to float32: the "
        "shipped package computes in FP16 anyway.",
    ),
    Cause(
        r"`bitwise_(and|or|xor)` op only supports boolean|found for 'bitwise_not'",
        "Core ML has no bitwise operations on integers",
        "use booleans, or arithmetic: `x % 2` for `x & 1`, and with two operands `sum((x // 2**i % 2) * "
        "(y // 2**i % 2) * 2**i for i in range(16))`.",
    ),
    Cause(
        r"(ADD|SUB) does not support scale factor",
        "`alpha` of `add` or `sub` is computed at run time",
        "write `x + alpha * y`.",
    ),
    Cause(
        r"rounding mode .* not supported",
        "only torch has this rounding mode of `div`",
        'use `rounding_mode="floor"` or `"trunc"`.',
    ),
    Cause(
        r"KeyError: torch\.[a-z]+\d|cast is not supported|Unsupported `to` op|[Uu]nsupported d?type",
        "Core ML has no such element type",
        "use float32, int32 or bool.",
    ),
    Cause(
        r"[Ss]parse|to_csr",
        "Core ML has no sparse tensors",
        "make it dense where it is built (`a.to_dense()`), or gather and `scatter_add` along its edges.",
    ),
    Cause(
        r"type domain \['complex64'\] but got",
        "an inverse transform takes complex numbers, and here it is given real ones",
        "join them with zeros: `torch.complex(x, torch.zeros_like(x))`.",
        ("*fft*",),
    ),
    Cause(
        r"[Cc]omplex",
        "Core ML has no complex numbers, and coremltools decomposes only `fft`, `stft`, `complex`, `real`, "
        "`imag` and `abs`",
        "multiply the parts: `torch.complex(x.real * h.real - x.imag * h.imag, x.real * h.imag + x.imag * "
        "h.real)`, with a constant `h` kept as two buffers.",
        ("mul", "mul_", "multiply"),
    ),
    Cause(
        r"complex",
        "Core ML has no complex numbers",
        "compute with `x.real` and `x.imag`, two tensors, and join them by `torch.complex` only for an "
        "inverse transform.",
    ),
    Cause(
        r"must have the same data type as the named input",
        "one operation has integer and float operands",
        "convert one of them: `y.to(x.dtype)`.",
    ),
    Cause(
        r"expects tensor or scalar of dtype",
        "an operand has an element type that Core ML does not support there",
        "convert it before: `.float()` or `.int()`.",
    ),
    Cause(
        r"overflows? int32|out of bounds for int32|too large to convert",
        "a constant does not fit into 32-bit integers",
        "use values between -2147483648 and 2147483647.",
    ),
    Cause(
        r"Incompatible dim|[Cc]annot broadcast|Incompatible shapes? .*broadcast",
        "two shapes do not match in Core ML, because a flexible size is not known to be the same in both",
        "give both inputs the same range in `shape`, or enumerate `shapes`.",
    ),
    Cause(
        r"number of classes must match",
        "the classifier names more or fewer classes than there are scores",
        "give `ClassifierConfig` one label for each score, and return the scores alone: coremltools takes "
        "the last output for them.",
    ),
    Cause(
        r"list index out of range[\s\S]*raised in get_func_output",
        "a classifier has one output, the scores, and the model returns more",
        "leave `ClassifierConfig` out, or give it a module that returns the scores alone (coremltools 9.0 "
        "counts the label and the scores beside the other outputs).",
    ),
    # What must be known before the model runs
    Cause(
        r"inputs cannot have symbolic values|Cannot convert (expression|symbols) to",
        "the size of the result is fixed and that of the input is flexible, so their ratio is not known",
        "give `scale_factor` instead of `size`, or fix that axis in `shape`.",
        ("upsample_*", "interpolate"),
    ),
    Cause(
        r"cannot have symbolic values|Cannot convert (expression|symbols) to (float|int)",
        "a number that the converter computes depends on a flexible size",
        "fix that axis in `shape`, or let a tensor operation compute the size.",
    ),
    Cause(
        r"must be const at compile time|expects? const|must be const|is not const|Only static item selection",
        "an argument is computed at run time where Core ML needs a constant",
        "compute it in `__init__`, or fix the flexible size it comes from.",
    ),
    Cause(
        r"[Ss]caled_dot_product_attention.*|attn_mask cannot be provided when is_causal",
        "the converter does not support this call of `scaled_dot_product_attention`",
        "pass a mask or `is_causal`, `dropout_p=0.0` in eval mode, and query, key and value of one rank.",
        ("scaled_dot_product_attention",),
    ),
    Cause(
        r"dropout probability",
        "dropout is active during inference",
        "pass `dropout_p=0.0`, or `self.dropout if self.training else 0.0`.",
    ),
    Cause(
        r"Torch var .* not found in context",
        "the converter did not find a value of the graph",
        "write the operation with others.",
        vague=True,
    ),
    Cause(
        r"Dynamic steps input for torch\.linspace",
        "the number of steps of `linspace` is computed at run time",
        "use `torch.arange(n) * step + start`.",
    ),
    Cause(
        r"Tensor repeats has not been implemented|repeat_interleave uses static dim|Cannot add const \[None|"
        r"got 1 input\(s\), expected",
        "how often each element is repeated is computed at run time",
        "choose the greatest length `n` of the result, which holds zeros behind the last: `ends = "
        "repeats.cumsum(0)`, `steps = torch.arange(n)[:, None]`, `y = torch.logical_and(steps < ends, "
        "steps >= ends - repeats).float() @ x`.",
        ("repeat_interleave*",),
    ),
    Cause(
        r"'?window_length'? not supported|'?periodic'? not supported",
        "the length of the window is computed at run time",
        "make the window a buffer in `__init__`.",
    ),
    Cause(
        r"num_samples must be const|only replacement=True is supported",
        "`multinomial` draws a fixed number of samples with replacement in Core ML",
        "give `num_samples` as a number, with `replacement=True`.",
    ),
    Cause(
        r"non-const input, the lowering for Torch `linalg_inv`",
        "Core ML has no inverse of a matrix that is computed",
        "invert it in `__init__`, or write the inverse out for small matrices.",
    ),
    Cause(
        r"`searchsorted` op with different ranks",
        "the sorted sequence has fewer axes than the values",
        "write `(x[..., None] > boundaries).sum(-1)`.",
    ),
    Cause(
        r"`cumprod` op is not supported|Not support `searchsorted`",
        "this operation needs the size of its axis as a number",
        "fix that axis in `shape` or enumerate `shapes`.",
    ),
    Cause(
        r"sorted=True supported for the topk",
        "`topk(sorted=False)` needs a later iOS",
        "leave `sorted` at True.",
    ),
    Cause(
        r"sorted=False not supported for unique",
        "`unique` is always sorted in Core ML",
        "pass `sorted=True`.",
    ),
    Cause(
        r"'list' object has no attribute 'val'|through: [^\n]*torch/nn/utils/rnn\.py",
        "a recurrent layer gets a packed sequence, which coremltools supports only for `nn.LSTM`",
        "run the layer over the padded batch, and multiply by a mask: `steps = torch.arange(x.shape[1])`, "
        "`y = self.rnn(x)[0] * (steps < lengths[:, None])[..., None]`; a bidirectional layer reads padding "
        "first, so give its backward half each sequence reversed within its length: `turned = torch.where("
        "steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)`.",
        ("", "gru*", "rnn_*"),
    ),
    Cause(
        r"Only static shape of PackedSequence",
        "packed sequences need a fixed length",
        "fix the length in `shape`, or mask the padded steps.",
    ),
    Cause(
        r"scalar or a length 1 tensor|numtotensor expected scalar|Item selection is supported only",
        "a tensor of several elements is used as one number",
        "reduce it first, or keep it a tensor, without `.item()`, `int(...)` and `float(...)`.",
    ),
    Cause(
        r"UNKNOWN_SCOPE|Ops containing blocks not implemented|Nodes of type .* not yet implemented",
        "the exported program has control flow (`torch.cond`, `while_loop`)",
        "use `torch.where`, or unroll the loop.",
    ),
    Cause(
        r"Unhandled node type|Binding of inputs of type",
        "an argument has a type that the converter does not support",
        "give numbers, strings and tensors only.",
    ),
    # Recurrent layers and losses
    Cause(
        r"Bidirectional simple RNN",
        "a bidirectional `nn.RNN` has no converter",
        "use two layers, one over `x.flip(1)`, or nn.GRU.",
    ),
    Cause(
        r"Incorrect weights shape for (gru|lstm) layer",
        "a recurrent layer has a projection or lacks its bias",
        "use `bias=True` and no `proj_size`.",
    ),
    Cause(
        r"NLLLoss|Reduction is not supported",
        "a loss is part of forward",
        "return the prediction; losses belong to training.",
    ),
    # Inputs, outputs and states
    Cause(
        r"State model is supported only >= iOS18",
        "forward changes a buffer, which needs iOS 18",
        "take the state as an input and return it.",
    ),
    Cause(
        r"StateType shape|StateType named",
        "a state and its buffer have different shapes",
        "register the buffer with the shape that forward writes.",
    ),
    Cause(
        r"infinite upper_bound is not allowed",
        "a flexible dimension has no upper bound",
        "set an upper bound: `shape = [1, [1, 512]]` instead of -1.",
    ),
    Cause(
        r"expressions of symbolic variables|inconsistent shape between EXIR input",
        "an input's size follows from another one's",
        "give both the same range, or enumerate the shapes (`shapes = [[1, 64], [1, 128]]`).",
    ),
    Cause(
        r"single enumerated shape input|same number of shapes",
        "below iOS 18 only one input may have enumerated shapes; from iOS 18 on all need equally many",
        "enumerate the shapes of one input, or of all.",
    ),
    Cause(
        r"non-contiguous dim order",
        "an input is not stored in the order of its axes (`channels_last`)",
        "yield `x.contiguous()` samples.",
    ),
    Cause(
        r"Main block's input name",
        "an output is an unchanged input",
        "omit it, or return `x * 1`.",
    ),
    Cause(
        r"is used both as function's input and output",
        "two outputs, or an input and an output, have the same name in the package, where `_` stands for "
        "every character but letters, digits and `_`",
        "rename one of them in the source, or give every output a name in `output`.",
    ),
    Cause(
        r"Number of (TorchScript )?(inputs|outputs).*(match|number)|Inconsistent number of inputs",
        "the graph has another number of inputs or outputs than the samples and outputs of the source",
        "give exactly the module's inputs, in order, and return every tensor once.",
    ),
    Cause(
        r"PackedParams|Dynamic quantized models|quantized",
        "the source is quantised",
        "convert the float model, and compress the package with `compress` in the configuration.",
    ),
    Cause(
        r"Only torch\.Tensor (parameter|buffer|attr) handled",
        "the program has a parameter that is not a tensor",
        "keep only tensors as parameters and buffers.",
    ),
    Cause(
        r"doesn't have compatible subtype of existing var",
        "the pass changes the shape of a value",
        "",
    ),
    # Before the converter: torch captures the source
    Cause(
        r"written: .*(autograd\.grad|\.backward)\(|"
        r"through: .*torch/(_functorch/eager_transforms|autograd/(__init__|functional))\.py",
        "forward computes a gradient, but a capture records no backward pass",
        "write the derivative by the chain rule: of `y = torch.tanh(self.l(x))` it is "
        "`(1 - y * y) @ self.l.weight`.",
    ),
    Cause(
        r"ConstraintViolationError|Constraints violated|specialized",
        "the source fixes a size that is configured as flexible",
        "fix it in `shape`, or enumerate `shapes`.",
    ),
    Cause(
        r"data-dependent|GuardOnDataDependentSymNode|Could not guard on",
        "the source branches on the values of a tensor",
        "write it with `torch.where`; a trace keeps the branch of the first sample.",
    ),
    Cause(
        r"Only tensors, lists, tuples of tensors.* can be output from traced|Tracer cannot infer type of",
        "forward takes or returns a value that a trace cannot represent",
        "take and return tensors, tuples and dicts of tensors.",
    ),
    Cause(
        r"FakeTensor|fake tensor|torch\._dynamo\.exc|Unsupported: ",
        "forward does something that torch.export cannot follow: numpy, `.item()`, or code that changes "
        "Python objects",
        "keep forward to torch operations on its inputs.",
    ),
    Cause(
        r"iOS ?1[678]\+|(>=|since) iOS1[678]|(Please|to) (set|update).{0,40}minimum.deployment.target",
        "this needs a later iOS",
        "raise `deployment-target`, or avoid the operation that needs it.",
    ),
)
"""Errors of any operation, of inputs and states, and of the capture, by their messages."""
