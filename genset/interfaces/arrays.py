"""Names for arrays: shapes and types."""

from typing import Any

import numpy as np
import numpy.typing as npt

ItemArray = npt.NDArray[Any]  # one decoded item, in the compact form of its modality: of `Modality.item_dtype`
Items = npt.NDArray[Any]  # (N, ...) items of one shape
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]  # (N,) index of each item's class
Keys = npt.NDArray[np.uint64]  # (N, K): items that share one are looked at together
Pairs = npt.NDArray[np.int64]  # (P, 2) row numbers
Tensors = npt.NDArray[Any]  # (B, ...) items as the networks see them: float32 in [0, 1], or int32 numbers of tokens
Tensor = Any  # a keras tensor: only code that trains sees one
