"""Cut a whole corpus into blocks of tokens of one length, once, and keep them in the cache.

The documents, each followed by [SEP], make one stream of tokens. It is cut into pieces of ``length`` − 1 tokens, and a
block is [CLS] and a piece. Nothing is padded; tokens that are left at the end are dropped.

Blocks are divided by chunks of 64 consecutive ones (fewer in a small corpus), since neighbours share documents. The
chunks have a fixed order: that of the fractional part of a chunk's number times the golden ratio. Its first chunks lie
evenly over the corpus, however many are taken, so that every part has the same mix of sources. The last 2% of the order
are held out. A part of the training blocks, such as 60%, is the beginning of the rest. No seed is involved.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import cache_folder
from ..sources.sealed import sealed
from .corpus import Corpus, fingerprint
from .tokenizer import FORMAT, batches, tokenizer_folder

CHUNK = 64  # blocks
HELD_OUT = 0.02  # share of the chunks
_FORMAT = 1  # raised when the way from a corpus to blocks changes
_BATCH = 1_000_000  # characters tokenised at once
_COUNTS = ("documents", "characters", "words", "tokens")


@dataclass(frozen=True, eq=False, kw_only=True)
class Packed:
    """A corpus as blocks of tokens.

    Attributes:
        tokenizer_folder: folder of the tokenizer, for ``from_pretrained``.
        train: token numbers of the training blocks, shape (blocks, length); memory-mapped, read-only.
        held_out: token numbers of the held-out blocks, shape (blocks, length); memory-mapped, read-only.
        vocabulary: number of tokens that the tokenizer knows.
        fingerprint: hash of the inputs: corpus, vocabulary, length and format; 16 hexadecimal digits.
        content: hash of the result: SHA-256 of the tokenizer's file and of all tokens; 16 hexadecimal digits.
        documents: number of documents in the corpus.
        characters: number of characters in the documents.
        words: number of words in the documents, as white space separates them.
        tokens: number of tokens in the documents, with a [SEP] for each document.
    """

    tokenizer_folder: Path
    train: np.ndarray
    held_out: np.ndarray
    vocabulary: int
    fingerprint: str
    content: str
    documents: int
    characters: int
    words: int
    tokens: int

    def part(self, fraction: float) -> np.ndarray:
        """Return the numbers of the training blocks that make up a part of the corpus, ascending.

        They are the same for every seed, and smaller parts lie in larger ones. A part consists of whole chunks, so its
        size is right to half a chunk.

        Args:
            fraction: share of the training blocks, above 0 and at most 1.

        Raises:
            InputError: the fraction is out of range.
        """
        if not isinstance(fraction, (int, float)) or not 0 < fraction <= 1:
            raise InputError(f"fraction {fraction!r} of the corpus is not allowed: give a number above 0, at most 1")
        blocks = len(self.train) + len(self.held_out)
        size, order = _chunks(blocks)
        training = order[: len(order) - _held_out(len(order))]
        in_part = np.zeros(len(order), dtype=bool)
        in_part[training[: max(1, round(fraction * len(training)))]] = True
        in_training = np.zeros(len(order), dtype=bool)
        in_training[training] = True
        chunk_of_block = np.arange(blocks) // size
        chunk_of_training_block = chunk_of_block[in_training[chunk_of_block]]
        return np.flatnonzero(in_part[chunk_of_training_block])

    def unigram_entropy(self) -> float:
        """Return the loss of predicting held-out tokens from token frequencies alone, in nats a token.

        The frequencies are those of the training blocks, each count raised by one. [CLS] does not count.
        """
        train = _frequencies(self.train, self.vocabulary) + 1
        held_out = _frequencies(self.held_out, self.vocabulary)
        return float(-(held_out / held_out.sum()) @ np.log(train / train.sum()))


def pack(corpus: Corpus, vocabulary: int, length: int) -> Packed:
    """Return a corpus as blocks of tokens, from the cache or made now.

    The blocks of a corpus that has a key are looked up without reading a document. Memory does not grow with the
    corpus. On disk the blocks take two bytes a token, and twice that while they are made.

    Args:
        corpus: the corpus.
        vocabulary: number of tokens of the tokenizer that is trained on the corpus, at most 65,535.
        length: number of tokens of a block, [CLS] among them.

    Raises:
        InputError: the corpus cannot be had, the vocabulary does not fit it (``wordpiece``), the length is below 2, or
            the corpus is too short for two blocks.

    >>> texts = ["the cat sat", "the cats ran"] * 9
    >>> corpus = Corpus(name="cats", load=lambda: iter(texts), source="made here")
    >>> blocks = pack(corpus, 29, 10)
    >>> blocks.train.shape, blocks.held_out.shape, blocks.words
    ((7, 10), (1, 10), 54)
    >>> blocks.part(0.5)
    array([0, 2, 4, 6])
    """
    if not isinstance(length, int) or length < 2:
        raise InputError(f"length {length!r} is not allowed: give a whole number from 2, such as 128")
    name = fingerprint(corpus, vocabulary, length, FORMAT, _FORMAT)
    folder = sealed(cache_folder() / "corpora" / name, lambda target: _pack(corpus, vocabulary, length, target))
    facts = json.loads((folder / "facts.json").read_text())
    # not np.load, which can read pickles
    train, held_out = (np.lib.format.open_memmap(folder / f"{part}.npy", mode="r") for part in ("train", "held_out"))
    return Packed(tokenizer_folder=folder / "tokenizer", train=train, held_out=held_out, fingerprint=name, **facts)


def _pack(corpus: Corpus, vocabulary: int, length: int, target: Path) -> None:
    """Write tokenizer, blocks and counts of a corpus into a folder."""
    trained = tokenizer_folder(corpus, vocabulary)
    shutil.copytree(trained, target / "tokenizer")
    digest = hashlib.sha256((trained / "tokenizer.json").read_bytes())
    stream = target / "stream"
    counts, cls = _tokenise(corpus, trained, stream, digest)
    blocks = counts["tokens"] // (length - 1)
    if blocks < 2:
        raise InputError(
            f"corpus {corpus.name!r} is too short: its {counts['tokens']} tokens give {blocks} blocks of length "
            f"{length}, but one is to train on and one held out; choose a smaller length"
        )
    _cut(np.memmap(stream, dtype=np.uint16, mode="r"), blocks, length, cls, target)
    stream.unlink()
    facts = {"vocabulary": vocabulary, "content": digest.hexdigest()[:16], **counts}
    (target / "facts.json").write_text(json.dumps(facts, indent=1))


def _tokenise(corpus: Corpus, trained: Path, stream: Path, digest: hashlib._Hash) -> tuple[dict[str, int], int]:
    """Write the stream of tokens, and return the counts of ``_COUNTS`` and the number of the token [CLS]."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(trained / "tokenizer.json"))
    vocab = tokenizer.get_vocab()
    cls, sep = vocab["[CLS]"], vocab["[SEP]"]
    counts = dict.fromkeys(_COUNTS, 0)
    with stream.open("wb") as file:
        for batch in batches(corpus.load(), _BATCH):
            rows = [encoding.ids for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False)]
            tokens = np.fromiter((token for row in rows for token in (*row, sep)), dtype="<u2")
            file.write(tokens.tobytes())
            digest.update(tokens.tobytes())
            sizes = (len(batch), sum(map(len, batch)), sum(len(text.split()) for text in batch), len(tokens))
            for name, size in zip(_COUNTS, sizes, strict=True):
                counts[name] += size
    return counts, cls


def _cut(stream: np.ndarray, blocks: int, length: int, cls: int, target: Path) -> None:
    """Write the training blocks and the held-out ones, a chunk at a time."""
    size, order = _chunks(blocks)
    is_held_out = np.zeros(len(order), dtype=bool)
    is_held_out[order[len(order) - _held_out(len(order)) :]] = True
    sizes = np.diff(np.minimum(np.arange(len(order) + 1) * size, blocks))  # the last chunk may have fewer blocks
    with ExitStack() as stack:
        files = {}
        for name, chunks in (("train", ~is_held_out), ("held_out", is_held_out)):
            # written, not mapped: a full disk is an error then, and the end of the process where a file is mapped
            files[name] = stack.enter_context((target / f"{name}.npy").open("wb"))
            shape = (int(sizes[chunks].sum()), length)
            header = {"descr": "<u2", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(files[name], header)
        for chunk, held_out in enumerate(is_held_out.tolist()):
            start, count = chunk * size, int(sizes[chunk])
            rows = np.empty((count, length), dtype="<u2")
            rows[:, 0] = cls
            rows[:, 1:] = stream[start * (length - 1) : (start + count) * (length - 1)].reshape(count, length - 1)
            files["held_out" if held_out else "train"].write(rows.tobytes())


def _chunks(blocks: int) -> tuple[int, np.ndarray]:
    """Return the number of blocks of a chunk, and the chunks' numbers in the fixed order."""
    size = max(1, min(CHUNK, int(blocks * HELD_OUT)))  # so that the held-out share is at least a whole chunk
    numbers = np.arange(-(-blocks // size), dtype=np.uint64)
    golden = np.uint64(2654435769)  # 2³² over the golden ratio (Knuth, The Art of Computer Programming 3, §6.4)
    return size, np.argsort((numbers * golden) % np.uint64(2**32), kind="stable")


def _held_out(chunks: int) -> int:
    """Return how many of the chunks are held out."""
    return max(1, round(HELD_OUT * chunks))


def _frequencies(blocks: np.ndarray, vocabulary: int) -> np.ndarray:
    """Return how often each token occurs, without the [CLS] at the beginning of each block."""
    counts = np.zeros(vocabulary, dtype=np.int64)
    for start in range(0, len(blocks), 4096):
        counts += np.bincount(blocks[start : start + 4096, 1:].ravel(), minlength=vocabulary)
    return counts
