"""Architectures of which a tiny random model can be made here, for the table of what can be done with each."""

from .decoders import DECODERS
from .encoder_decoders import ENCODER_DECODERS
from .encoders import ENCODERS
from .experts import EXPERTS, RECURRENT
from .family import Family
from .multimodal import MULTIMODAL
from .others import OTHERS
from .plain import PLAIN, TIMM
from .vision import DETECTORS, IMAGE_GPT, VISION

#: All families by the headings of the table.
GROUPS: dict[str, tuple[Family, ...]] = {
    "Text encoders": ENCODERS,
    "Causal language models": DECODERS,
    "Mixtures of experts": EXPERTS,
    "Models with a recurrent state": RECURRENT,
    "Text to text": ENCODER_DECODERS,
    "Images and videos": (*VISION, *DETECTORS, IMAGE_GPT),
    "Images with text, and documents": MULTIMODAL,
    "Sound and other inputs": OTHERS,
    "timm, torchvision and plain torch": (*TIMM, *PLAIN),
}
