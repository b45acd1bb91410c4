"""BERT's tokenizer, trained on a corpus: WordPiece over lower-cased text without accents.

The trainer of the library ``tokenizers`` numbers a letter's continuation (``##e``) in the order in which it meets the
words of a hash table, and equally frequent pieces by these numbers, so that two trainings differ. Here letters and
continuations are given to it beforehand, in the order of their code points; then two trainings give one file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..files import built, cache_folder
from .corpus import Corpus, fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LARGEST = 65_535  # token numbers are kept in 16 bits

#: A character that is rarer than one in a million is no letter of the alphabet: words with it are [UNK].
_RAREST = 1e-6
_ALPHABET = 1000  # at most, as BERT's
_TWICE = 2  # a piece is made of what occurs at least twice, as BERT's
_BATCH = 4_000_000  # characters counted at once
FORMAT = 1  # raised when the same corpus would give another tokenizer


def wordpiece(corpus: Corpus, vocabulary: int) -> PreTrainedTokenizerFast:
    """BERT's tokenizer with exactly ``vocabulary`` tokens, trained on the corpus or read from the cache.

    Text is lower-cased, decomposed and stripped of accents, split at white space and punctuation, and words into the
    longest pieces known. One text becomes ``[CLS] A [SEP]``, a pair ``[CLS] A [SEP] B [SEP]`` with token types 0 and 1.

    Args:
        corpus: what it is trained on.
        vocabulary: how many tokens it has, the five special ones among them; at most 65,535.

    Raises:
        InputError: the corpus is empty or cannot be had; the vocabulary is larger than its text supports, or too
            small for its letters.

    Source:
        Devlin et al. 2019 (arXiv 1810.04805), §3; Wu et al. 2016 (arXiv 1609.08144), §4.1.

    >>> texts = ["the cat sat", "the cats ran"] * 9
    >>> corpus = Corpus(name="cats", load=lambda: iter(texts), source="made here")
    >>> wordpiece(corpus, 29).tokenize("The Cät is a rat")
    ['the', 'cat', '[UNK]', 'a', 'r', '##at']
    """
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(tokenizer_folder(corpus, vocabulary))


def tokenizer_folder(corpus: Corpus, vocabulary: int) -> Path:
    """Where the files of ``wordpiece`` lie, made if they are not in the cache. Arguments and errors as of it."""
    if not isinstance(vocabulary, int) or not len(SPECIAL) < vocabulary <= LARGEST:
        raise InputError(
            f"vocabulary {vocabulary!r} is not allowed: give a whole number from {len(SPECIAL) + 1} to {LARGEST:,}"
        )
    name = f"tokenizer-{fingerprint(corpus, vocabulary, FORMAT)}"
    return built(cache_folder() / "corpora" / name, lambda target: _train(corpus, vocabulary, target))


def _train(corpus: Corpus, vocabulary: int, target: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    def empty(vocab: dict[str, int] | None) -> Tokenizer:
        tokenizer = Tokenizer(models.WordPiece(vocab or {}, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)  # which implies NFD without accents
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return tokenizer

    tokenizer = empty(None)
    letters = _alphabet(corpus, tokenizer)
    inner = [f"##{letter}" for letter in letters if _continues(letter, tokenizer)]
    least = len(SPECIAL) + len(letters) + len(inner)
    if vocabulary < least:
        raise InputError(
            f"vocabulary {vocabulary} is too small for corpus {corpus.name!r}: {len(letters)} letters, {len(inner)} "
            f"of them also within words, and the {len(SPECIAL)} special tokens are {least} already"
        )
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=_TWICE,
        special_tokens=[*SPECIAL, *inner],  # the only tokens whose numbers can be given
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus.load(), trainer)
    vocab = tokenizer.get_vocab()
    if len(vocab) < vocabulary:
        raise InputError(
            f"vocabulary {vocabulary:,} is larger than the text of corpus {corpus.name!r} supports: "
            f"ask for at most {len(vocab):,}"
        )
    final = empty(vocab)  # in which a continuation is no special token
    final.decoder = decoders.WordPiece()
    final.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=final,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{token.strip('[]').lower()}_token": token for token in SPECIAL},
    ).save_pretrained(target)


def _alphabet(corpus: Corpus, tokenizer: Any) -> list[str]:
    """The characters of the normalised text that are not too rare, by code point."""
    raw = np.zeros(sys.maxunicode + 1, dtype=np.int64)
    for batch in batches(corpus.load(), _BATCH):
        text = "".join(batch).encode("utf-32-le", errors="replace")
        counts = np.bincount(np.frombuffer(text, dtype="<u4"))
        raw[: len(counts)] += counts
    if not raw.any():
        raise InputError(f"corpus {corpus.name!r} is empty: there is nothing to train a tokenizer on")
    normalised: dict[str, int] = {}
    for code in np.flatnonzero(raw):  # the normaliser looks at one character at a time, and so may we
        for letter in tokenizer.normalizer.normalize_str(chr(code)):
            normalised[letter] = normalised.get(letter, 0) + int(raw[code])
    letters = {letter: count for letter, count in normalised.items() if not letter.isspace()}
    least = _RAREST * sum(letters.values())
    kept = sorted((c for c in letters if letters[c] >= least), key=lambda c: (-letters[c], c))
    return sorted(kept[:_ALPHABET])


def _continues(letter: str, tokenizer: Any) -> bool:
    """Whether it can stand within a word, as punctuation and Chinese characters cannot."""
    return len(tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(f"a{letter}"))) == 1


def batches(documents: Iterator[str], characters: int) -> Iterator[list[str]]:
    """Consecutive documents until they have so many characters or more; what remains at the end."""
    batch, size = [], 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= characters:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
