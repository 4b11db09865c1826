"""Attention as one operation (iOS 18)."""

from torch import Tensor
from torch.nn import functional

from coreml_gate.runtime.registry import ROUND, operation


@operation(ROUND)
def scaled_dot_product_attention_ios18(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None
) -> Tensor:
    return functional.scaled_dot_product_attention(query, key, value, attn_mask)
