"""Number formats that the factors of large products are rounded to, and which of them this machine multiplies fastest."""

import torch

PRECISIONS = ("float32", "bfloat16")
AUTO = "auto"
"""Stands for the faster one on the machine where a configuration is made. Which one that was is part of the configuration from
then on: what was learned in a format goes on in it, whatever machine it is moved to."""

MULTIPLIES_BFLOAT16 = ("avx512_bf16", "amx_bf16", "sve_bf16", "bf16")
"""Abilities of x86-64 and of ARM64 processors, as torch names them. Without one bfloat16 is slower than float32."""


def settled(precision: str) -> str:
    """What ``"auto"`` stands for here; anything else as it is."""
    return fastest() if precision == AUTO else precision


def fastest() -> str:
    """``"bfloat16"`` on a processor that has products of it, else ``"float32"``."""
    able = torch.cpu.get_capabilities()
    return "bfloat16" if any(able.get(name) for name in MULTIPLIES_BFLOAT16) else "float32"
