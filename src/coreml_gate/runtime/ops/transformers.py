"""Attention as one operation (iOS 18)."""

import torch
from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.registry import ROUND, operation


@operation(ROUND)
def scaled_dot_product_attention_ios18(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None
) -> Tensor:
    """A row whose keys are all masked is NaN, as by MIL's formula and in coremltools' own values; torch's
    kernel gives 0.
    """
    attended = functional.scaled_dot_product_attention(query, key, value, attn_mask)
    if attn_mask is None:
        return attended
    masked = ~attn_mask if attn_mask.dtype is torch.bool else attn_mask == -torch.inf
    return attended.masked_fill(masked.all(-1, keepdim=True), torch.nan)
