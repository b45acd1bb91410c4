"""Small random models and small made-up data in the hub's own formats, so that every path runs without a network.

They are saved once into the cache as the hub would hold them: models by ``save_pretrained``, data as parquet
in the layout of GLUE, SQuAD, Wikipedia and CIFAR. What loads ``bert-base-uncased`` and MNLI, or a
ViT and CIFAR, loads them by the same code.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import unknown
from ..files import built, cache_folder

if TYPE_CHECKING:
    import numpy as np

OWNER = "essparse"
DATASET = f"{OWNER}/tiny-glue"
QUESTIONS = f"{OWNER}/tiny-questions"
CORPUS = f"{OWNER}/tiny-corpus"
IMAGES = f"{OWNER}/tiny-images"
REVISION = "2"  # raised when what is made here changes

_GOOD = "good great fine lovely bright warm clever funny moving superb".split()
_BAD = "bad poor dull ugly dark cold stupid tedious hollow awful".split()
_OTHER = "the film has a plot and its actors play in every scene of this story with some music".split()
_WORDS = ["<pad>", "<unk>", "<s>", "</s>", "<mask>", *_GOOD, *_BAD, *_OTHER]

#: What the made-up images show: a disc, a ring, stripes across, stripes down.
SHAPES = ("disc", "ring", "across", "down")
_SIDE = 16


def folder(repository: str) -> Path:
    """The local folder of one of this module's repositories, made if it is not in the cache.

    Raises:
        InputError: there is no such repository, or the cache cannot be written.
    """
    if repository not in _MAKERS:
        raise unknown("tiny repository", repository, _MAKERS)
    target = cache_folder() / f"tiny-{REVISION}" / repository
    return built(target, _MAKERS[repository])


def _sentence(rng: random.Random, label: int) -> str:
    words = rng.choices(_OTHER, k=rng.randint(3, 12)) + rng.choices(_GOOD if label else _BAD, k=rng.randint(1, 3))
    rng.shuffle(words)
    return " ".join(words)


def _glue(target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = random.Random(0)
    for split, size in (("train", 512), ("validation", 128)):
        labels = [rng.randrange(2) for _ in range(size)]
        single = {"sentence": [_sentence(rng, y) for y in labels]}
        tones = [rng.randrange(2) for _ in range(size)]  # a pair is labelled 0 if both have one tone
        pair = {
            "sentence1": [_sentence(rng, t) for t in tones],
            "sentence2": [_sentence(rng, t ^ y) for t, y in zip(tones, labels, strict=True)],
        }
        for config, columns in (("sst2", single), ("rte", pair)):
            table = pa.table({**columns, "label": labels, "idx": list(range(size))})
            (target / config).mkdir(exist_ok=True)
            pq.write_table(table, target / config / f"{split}-00000-of-00001.parquet")


def _question(rng: random.Random) -> dict[str, Any]:
    """A question with a good or a bad word, whose answer is the run of such words that the context has."""
    tone = rng.choice((_GOOD, _BAD))
    answer = " ".join(rng.choices(tone, k=rng.randint(1, 3)))
    before, after = (rng.choices(_OTHER, k=rng.randint(2, 24)) for _ in range(2))
    asked = [*rng.choices(_OTHER, k=rng.randint(1, 3)), rng.choice(tone)]
    rng.shuffle(asked)
    return {
        "title": "tiny",
        "context": " ".join([*before, answer, *after]),
        "question": " ".join(asked),
        "answers": {"text": [answer], "answer_start": [len(" ".join(before)) + 1]},
    }


def _questions(target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = random.Random(0)
    text, number = pa.list_(pa.string()), pa.list_(pa.int32())
    (target / "plain_text").mkdir()
    for split, size in (("train", 512), ("validation", 128)):
        asked = [{"id": f"{split}-{i}", **_question(rng)} for i in range(size)]
        if split == "validation":  # several people answered: one of them with the last word alone
            for answers in (question["answers"] for question in asked):
                (whole,), (start,) = answers["text"], answers["answer_start"]
                last = whole.split()[-1]
                answers.update(text=[whole, whole, last], answer_start=[start, start, start + len(whole) - len(last)])
        columns = {name: [question[name] for question in asked] for name in ("id", "title", "context", "question")}
        given = pa.array([q["answers"] for q in asked], pa.struct([("text", text), ("answer_start", number)]))
        table = pa.table({**columns, "answers": given})
        pq.write_table(table, target / "plain_text" / f"{split}-00000-of-00001.parquet")


#: What a review goes on about: no two of these share a word.
_CLAUSES = ("the film has a plot", "its actors play in every scene", "this story with some music")
_NOUNS = "film plot actors scene story music".split()


def _review(rng: random.Random) -> str:
    """Eight sentences of one tone on one clause, with adjectives that go with its nouns.

    So masked words can be told from their neighbours, and, which a model learns sooner, from the words of the text.
    """
    tone, clause = rng.choice((_GOOD, _BAD)), rng.choice(_CLAUSES).split()
    words = []
    for sentence in range(8):
        if sentence and rng.random() < 0.5:
            words.append("and")
        for word in clause:
            if word in _NOUNS and rng.random() < 0.75:
                start = 2 * _NOUNS.index(word)  # four adjectives of a tone, half of them shared with the next noun
                words.append(rng.choice((tone * 2)[start : start + 4]))
            words.append(word)
    return " ".join(words)


def _corpus(target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = random.Random(0)
    (target / "data").mkdir()
    for part in range(2):
        table = pa.table({"text": [_review(rng) for _ in range(300)]})
        pq.write_table(table, target / "data" / f"train-{part:05}-of-00002.parquet", row_group_size=100)


def _image(rng: np.random.RandomState, shape: int, channels: int) -> np.ndarray:
    """A light shape somewhere on a dark ground, in any colours, with noise; 8 bits, shape (channels, 16, 16)."""
    import numpy as np

    down, across = np.mgrid[:_SIDE, :_SIDE]
    y, x = rng.randint(7, 10, 2)
    phase = 2 * rng.randint(2)
    distance = (down - y) ** 2 + (across - x) ** 2
    lit = (
        distance <= 25,
        (distance > 9) & (distance <= 36),
        (down + phase) % 4 < 2,
        (across + phase) % 4 < 2,
    )[shape]
    dark, light = (rng.randint(low, high, (channels, 1, 1)) for low, high in ((0, 96), (160, 256)))
    noise = rng.randint(-16, 17, (channels, _SIDE, _SIDE))
    return (np.where(lit, light, dark) + noise).clip(0, 255).astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    """A PNG file of 8-bit values, shape (channels, height, width)."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()


def _images(target: Path) -> None:
    import json

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = {"image": {"_type": "Image"}, "label": {"names": list(SHAPES), "_type": "ClassLabel"}}
    notes = {"huggingface": json.dumps({"info": {"features": features}})}  # tells the datasets library what they are
    file = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", file), ("label", pa.int64())], metadata=notes)
    for config, channels in (("colour", 3), ("grey", 1)):
        rng = np.random.RandomState(channels)  # of all of numpy's, the one whose numbers never change
        (target / config).mkdir()
        for split, size in (("train", 512), ("test", 128)):
            labels = rng.randint(len(SHAPES), size=size).tolist()
            images = [{"bytes": _png(_image(rng, label, channels)), "path": None} for label in labels]
            table = pa.table({"image": images, "label": labels}, schema)
            pq.write_table(table, target / config / f"{split}-00000-of-00001.parquet")


def _tokenizer(pair_template: str, **options: Any) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    numbers = {word: i for i, word in enumerate(_WORDS)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair=pair_template,
        special_tokens=[(t, numbers[t]) for t in ("<s>", "</s>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **dict(pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token="<mask>"),
        **options,
    )


def _save(target: Path, model: Any, tokenizer: Any) -> None:
    model.save_pretrained(target)  # safetensors
    tokenizer.save_pretrained(target)


def _seeded(make: Callable[[], Any]) -> Any:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


_SHAPE = dict(vocab_size=len(_WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, pad_token_id=0)


def _bert(target: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(**_SHAPE, intermediate_size=64, max_position_embeddings=64)
    tokenizer = _tokenizer(
        "<s> $A </s> $B:1 </s>:1", model_input_names=["input_ids", "token_type_ids", "attention_mask"]
    )
    _save(target, _seeded(lambda: BertModel(config)), tokenizer)


def _mpnet(target: Path) -> None:
    from transformers import MPNetConfig, MPNetModel

    config = MPNetConfig(**_SHAPE, intermediate_size=64, max_position_embeddings=64)
    tokenizer = _tokenizer("<s> $A </s> </s> $B </s>", model_input_names=["input_ids", "attention_mask"])
    _save(target, _seeded(lambda: MPNetModel(config)), tokenizer)


def _opt(target: Path) -> None:
    from transformers import OPTConfig, OPTModel

    config = OPTConfig(**_SHAPE, ffn_dim=64, max_position_embeddings=64, word_embed_proj_dim=32)
    tokenizer = _tokenizer("<s> $A </s> $B </s>", model_input_names=["input_ids", "attention_mask"])
    _save(target, _seeded(lambda: OPTModel(config)), tokenizer)


_VISION_SHAPE = dict(
    **dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64),
    **dict(image_size=_SIDE, patch_size=4),
)


def _save_vision(target: Path, model: Any, preprocessor: dict[str, Any]) -> None:
    import json

    model.save_pretrained(target)
    plain = {"do_normalize": True, "do_resize": True, **preprocessor, "size": _SIDE}
    (target / "preprocessor_config.json").write_text(json.dumps(plain, indent=2) + "\n")


def _vit(target: Path) -> None:
    """As google/vit-base-patch16-224: with the head that it was trained with, and the older keys."""
    from transformers import ViTConfig, ViTForImageClassification

    model = _seeded(lambda: ViTForImageClassification(ViTConfig(**_VISION_SHAPE, num_labels=7)))
    _save_vision(target, model, {"image_mean": [0.5] * 3, "image_std": [0.5] * 3})


def _dino(target: Path) -> None:
    """As facebook/dino-vitb16: without a head."""
    from transformers import ViTConfig, ViTModel

    imagenet = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    keys = {"feature_extractor_type": "ViTFeatureExtractor", **imagenet, "resample": 3}
    _save_vision(target, _seeded(lambda: ViTModel(ViTConfig(**_VISION_SHAPE))), keys)


_MAKERS: dict[str, Callable[[Path], None]] = {
    DATASET: _glue,
    QUESTIONS: _questions,
    CORPUS: _corpus,
    IMAGES: _images,
    f"{OWNER}/tiny-bert": _bert,
    f"{OWNER}/tiny-mpnet": _mpnet,
    f"{OWNER}/tiny-opt": _opt,
    f"{OWNER}/tiny-vit": _vit,
    f"{OWNER}/tiny-dino": _dino,
}
