"""Sign codes: a vector as the signs of its products with fixed directions, for a scan by Hamming distance.

The expected share of differing bits is the angle between two vectors over pi (Charikar, STOC 2002). The directions are
the rows of Hadamard matrices whose columns change sign at random, cut to the dimension: a tight frame, as good here as
random rotations, and the same on every machine. A Hadamard matrix is a Kronecker product of two small ones, so a code
takes an eighth of the work of the plain product, in pieces too small for a linear algebra library to wake its threads,
which on a busy machine wait for one another longer than they work.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MINIMUM_BITS = 1536
"""Measured on MiniLM vectors: at a recall of 0.99 as fast as 1024 and faster than 2048 bits (bench/README.md)."""
MINIMUM_FRAMES = 2
MAXIMUM_DIMENSION = 4096
"""vec0 takes 8192 bits."""
INNER = 32
SEED = 1
CODE = "signs-1"
"""Named anew whenever the same vector gets another code: an index of old codes is then never asked with new ones."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Frames:
    """The directions, factored."""

    flips: Floats
    """Shape (frames, dimension padded to whole blocks): 1 and -1, and 0 in the padding."""
    outer: Floats
    """Shape (blocks in a side, blocks in the dimension)."""
    inner: Floats
    """Shape (block, block)."""


def code_bits(dimension: int) -> int:
    """Length in bits of the codes of vectors of this dimension: a multiple of 8."""
    side = _side(dimension)
    return side * max(MINIMUM_FRAMES, -(-MINIMUM_BITS // side))


def sign_codes(vectors: Floats) -> NDArray[np.uint8]:
    """Codes of shape (n, bits / 8) of vectors of shape (n, dimension); the vectors' lengths do not matter."""
    count, dimension = vectors.shape
    frames = _frames(dimension)
    padded = np.pad(vectors, ((0, 0), (0, frames.flips.shape[1] - dimension)))
    blocks = (padded[:, None] * frames.flips).reshape(-1, frames.outer.shape[1], len(frames.inner))
    products = np.matmul(frames.outer, np.matmul(blocks, frames.inner))
    return np.packbits(products.reshape(count, -1) > 0, axis=1)


@lru_cache(maxsize=4)
def _frames(dimension: int) -> _Frames:
    side = _side(dimension)
    block = min(INNER, side)
    used = -(-dimension // block)
    # RandomState's stream is frozen (NEP 19): codes written years ago must still mean the same.
    signs = np.random.RandomState(SEED).randint(0, 2, (code_bits(dimension) // side, dimension)) * 2 - 1
    flips = np.pad(signs, ((0, 0), (0, used * block - dimension))).astype(np.float32)
    return _Frames(flips, np.ascontiguousarray(_hadamard(side // block)[:, :used]), _hadamard(block))


def _hadamard(side: int) -> Floats:
    """Sylvester's matrix of shape (side, side), symmetric; ``side`` is a power of two."""
    places = np.arange(side, dtype=np.uint16)
    odd = np.bitwise_count(places[:, None] & places[None]) & 1
    return np.where(odd, np.float32(-1), np.float32(1))


def _side(dimension: int) -> int:
    """The size of the Hadamard matrix: the next power of two, at least 8."""
    return max(8, 1 << (dimension - 1).bit_length())
