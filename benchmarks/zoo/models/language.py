"""BERT and GPT-2 of transformers with fewer layers and a smaller vocabulary, randomly initialised."""

import torch
from models.drawing import drawn_tokens
from torch import Tensor, nn
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

VOCABULARY = 8192
LENGTH = 128


def sentences() -> list[dict[str, Tensor]]:
    return [{"input_ids": tokens} for tokens in drawn_tokens(VOCABULARY, LENGTH)]


def padded_sentences() -> list[dict[str, Tensor]]:
    """Sentences of different lengths, padded to one: the mask says which tokens count."""
    ends = torch.linspace(LENGTH // 2, LENGTH - 8, len(sentences())).int().tolist()
    masks = [(torch.arange(LENGTH) < end).long().unsqueeze(0) for end in ends]
    return [{**sentence, "attention_mask": mask} for sentence, mask in zip(sentences(), masks, strict=True)]


def bert() -> nn.Module:
    """The encoder of "BERT-small": 4 layers, width 512, 8 heads (arXiv:1908.08962)."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=512,
        num_hidden_layers=4,
        num_attention_heads=8,
        intermediate_size=2048,
    )
    return BertModel(config)


def gpt2() -> nn.Module:
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=384, n_layer=6, n_head=6, use_cache=False
    )
    return GPT2LMHeadModel(config)
