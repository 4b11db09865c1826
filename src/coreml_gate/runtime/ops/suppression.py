"""Non-maximum suppression, box by box.

Which overlaps suppress a box follows coremltools' tests on Core ML (``test_nms`` with a limit of 0,
``test_nms_corner_case_iou_equal_threshold``): never 0 or 0/0; an overlap equal to the limit from iOS 17 on.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from coreml_gate.runtime.registry import EXACT, Tensors, operation

Reaches = Callable[[Tensor, float], Tensor]
"""Whether an overlap reaches the limit."""


@operation(EXACT)
def non_maximum_suppression(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    score_threshold: float,
    max_boxes: int,
    per_class_suppression: bool = False,
) -> Tensors:
    reaches = torch.gt
    picked = [
        _suppress(box, score, iou_threshold, score_threshold, max_boxes, per_class_suppression, reaches)
        for box, score in _images(boxes, scores)
    ]
    return _gathered(boxes, scores, picked, max_boxes)


@operation(EXACT)
def non_maximum_suppression_ios17(
    boxes: Tensor, scores: Tensor, iou_threshold: float, max_boxes: int, per_class_suppression: bool = False
) -> Tensors:
    """Boxes are along the last axis; there is neither a score threshold nor a maximum count."""
    boxes, scores = boxes.mT, scores.mT
    picked = [
        _suppress(box, score, iou_threshold, -math.inf, max_boxes, per_class_suppression, torch.ge)
        for box, score in _images(boxes, scores)
    ]
    found_boxes, found_scores, indices, _ = _gathered(boxes, scores, picked, max_boxes)
    return found_boxes.mT, found_scores.mT, indices


def _images(boxes: Tensor, scores: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Boxes and scores per image, in float32, because Core ML's CPU computes overlaps of halves in it too."""
    return zip(boxes.float(), scores.float(), strict=True)


def _suppress(
    boxes: Tensor,
    scores: Tensor,
    iou_limit: float,
    score_limit: float,
    most: int,
    per_class: bool,
    reaches: Reaches,
) -> list[int]:
    """Indices of the kept boxes, best score first; ``per_class`` limits suppression to boxes of one class."""
    best, label = scores.max(1)
    overlap = _overlap(boxes)
    suppresses = reaches(overlap, iou_limit) & (overlap > 0)
    kept: list[int] = []
    for place in best.argsort(descending=True, stable=True).tolist():
        if len(kept) == most or best[place] < score_limit:
            break
        rivals = [other for other in kept if not per_class or label[other] == label[place]]
        if not suppresses[place, rivals].any():
            kept.append(place)
    return kept


def _overlap(boxes: Tensor) -> Tensor:
    """Intersection over union of every pair; boxes are centre and size."""
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    shared = (torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low)).clamp(min=0).prod(-1)
    area = boxes[:, 2:].prod(-1)
    return shared / (area[:, None] + area - shared)


def _gathered(boxes: Tensor, scores: Tensor, picked: list[list[int]], most: int) -> Tensors:
    batch = len(picked)
    found_boxes = boxes.new_zeros(batch, most, 4)
    found_scores = scores.new_zeros(batch, most, scores.shape[2])
    indices = torch.full((batch, most), -1)
    for row, places in enumerate(picked):
        found_boxes[row, : len(places)] = boxes[row, places]
        found_scores[row, : len(places)] = scores[row, places]
        indices[row, : len(places)] = torch.tensor(places)
    return found_boxes, found_scores, indices, torch.tensor([len(places) for places in picked])
