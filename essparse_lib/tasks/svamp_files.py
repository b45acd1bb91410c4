"""The files of arkilpatel/SVAMP: of each folder the SHA-256 and the bytes of ``train.csv`` and of ``dev.csv``."""

from __future__ import annotations

FILES: dict[str, tuple[tuple[str, int], tuple[str, int]]] = {
    "cv_mawps/fold0": (
        ("0674253e6099813cefbb1d6eae3d2dc784ab6ebfdaf8755f6ebb4b99fc1f6ebe", 595_844),
        ("bad59cff796b01a87363ea970f1fa80c15f56ff5f4388143aadbdc3feaf5f990", 148_020),
    ),
    "cv_mawps/fold1": (
        ("ad8846861202060f2dfcb8423d23218cbf6a4a67010d4d4d939b9df61b2d34b0", 593_821),
        ("31362cb8741f9fc11b470b224478902ae27ab762bdd82bcb08a9c945d5947422", 150_043),
    ),
    "cv_mawps/fold2": (
        ("b137a07367e1b3cd9556fae7b9e17fb5e23836e1e6dc9357719049ebc8860c62", 593_895),
        ("fae4f08a24a23123612ca5bb960e4f9aa7202c856344a59ab7adea424dfc670d", 149_969),
    ),
    "cv_mawps/fold3": (
        ("fb1e286a94feed24a41c5560095e21a33d61888c7c27a355e6ccef725deaf084", 597_305),
        ("5ac76e5559cdde0aa8bcac77eb9af46b9b0230f00661ad0257dbd58a1567a323", 146_559),
    ),
    "cv_mawps/fold4": (
        ("9194364265a42e0f146cc73f514c806c5d322827cd025a474ded33af076837bb", 594_735),
        ("1bb9164e6ba93fdc1bffddd8544c20cddc3c195a299b0b6c6893c2a760c3434b", 149_129),
    ),
    "cv_asdiv-a/fold0": (
        ("5c711c9150712141bfde68abf5ee4aecb610563325901320aef41e1e5ecf6c84", 419_240),
        ("0813a90f336147b1229a6d1d133c29f7e585cb27cafd651976bb94449a4b81c0", 96_533),
    ),
    "cv_asdiv-a/fold1": (
        ("77046a465a3e693b4b241dcbce2fe2cba7c9d3d253201e5e125273f6f95ade8a", 417_474),
        ("2432c24452fceb43c76f081342ebcd0e7b0f5776cb2908e621eeb4e2fad3cd17", 98_299),
    ),
    "cv_asdiv-a/fold2": (
        ("25a7e1b542fb6c39181ab6005ec9e1eb68d049f0ca4367c87837d299feef3cd8", 407_897),
        ("63da38010296031a123c0bd9cb80701870f1e31fdf06a88442b3ab6500b36b84", 107_876),
    ),
    "cv_asdiv-a/fold3": (
        ("618e38871a3b82b184f47c301cae011b16ba1d0d2062017e51899490d071d846", 410_436),
        ("7a45f3d18353e4ea8ffa2d1cb238e80068ad3bb5dbed4303231b3af0836d78e2", 105_337),
    ),
    "cv_asdiv-a/fold4": (
        ("caf82cc29dafe77dda0aac8bf8af5c363c666e0e1480fbaedc47c504384b76fa", 407_820),
        ("b9fe1aacddc34ec2caed5e0c35faff2681198431b021d13e16dc2e7c61ec6ecb", 107_953),
    ),
    "mawps-asdiv-a_svamp": (
        ("c761cdc6390a67a285c6c346a2931f61bc8f47430eceaeb123cc3d0263efa821", 1_242_909),
        ("978425fa0820a147a20d3cb305a571d77b8ba0d1ccec4a96dd1470bf0079c338", 467_974),
    ),
}
