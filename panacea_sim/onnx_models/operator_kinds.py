"""Operators between products by what they do to elements; those that are not listed may do anything."""

from __future__ import annotations

__all__ = ["CUTS", "ELEMENTWISE", "FUNCTIONS", "ONE_INPUT", "RECTIFIERS", "RESHAPES", "WHOLE"]

CUTS = frozenset({"Shape", "Size", "ConstantOfShape", "Range", "EyeLike"})
"""What comes out depends on sizes, not on values."""

RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})

RECTIFIERS = frozenset({"Relu", "LeakyRelu", "PRelu", "Clip", "ThresholdedRelu"})

FUNCTIONS = frozenset(
    {
        *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BiasGelu", "Celu", "Cos", "Cosh", "Elu", "Erf"),
        *("Exp", "FastGelu", "Gelu", "HardSigmoid", "HardSwish", "Log", "Mish", "Pow", "QuickGelu", "Reciprocal"),
        *("Round", "Selu", "Shrink", "Sigmoid", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh"),
        *("Ceil", "Floor", "Sign"),
    }
)

ELEMENTWISE = frozenset(
    {
        *RECTIFIERS,
        *FUNCTIONS,
        *("Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum", "Mod", "Neg", "Where", "Identity", "Dropout"),
        *("And", "Or", "Xor", "Not", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsNaN", "IsInf"),
        *("BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"),
        *("QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu"),
        *("Cast", "CastLike", "BatchNormalization", "QuantizeLinear", "DequantizeLinear", "Trilu"),
    }
)
"""Element i of the output needs element i of the inputs, as far as these are not repeated."""

ONE_INPUT = frozenset({"BatchNormalization", "CastLike", "Dropout", "Trilu"})
"""Of these only the first input has elements that count."""

WHOLE = frozenset({"DynamicQuantizeLinear"})
"""Its scale is that of the largest element of all."""
