"""Operators that are refused, why, and what to do instead."""

from __future__ import annotations

from maiacc.frontend.registry import refuse

refuse(
    "there is no source of random numbers, and ONNX fixes no generator",
    "make the random tensor an input of the model, or export it in eval mode",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
)

refuse(
    "strings are no data of an accelerator",
    "tokenise before the model, and feed numbers",
    "StringConcat",
    "StringNormalizer",
    "StringSplit",
    "RegexFullMatch",
)

refuse(
    "files of images are not decoded",
    "decode the image before the model, and feed its pixels",
    "ImageDecoder",
)

refuse(
    "sequences have no size that is known before the model runs",
    "export the model with stacked tensors instead of sequences",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceErase",
    "SequenceInsert",
    "SequenceLength",
    "SequenceMap",
    "SplitToSequence",
    "ConcatFromSequence",
)

refuse(
    "whether an optional value is there is only known at run time",
    "export the model with the tensor itself",
    "Optional",
)

refuse(
    "training is not supported",
    "export the model for inference",
    "Gradient",
    "Adagrad",
    "Adam",
    "Momentum",
    domain="ai.onnx.preview.training",
)

refuse(
    "experimental operators that ONNX took back are not supported",
    "convert the model to opset 7 or later",
    "ATen",
    "Affine",
    "Crop",
    "DynamicSlice",
    "GRUUnit",
    "GivenTensorFill",
    "ImageScaler",
    "ParametricSoftplus",
    "ScaledTanh",
)
