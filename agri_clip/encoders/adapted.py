"""An encoder that knows a field's pests from examples: its base encoder's vectors, and a head on top (step 2).

A folder: ``adapted.json``, a card for people and programs, and ``head.safetensors``, the head's numbers. No pickle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from agri_clip.encoders.adapters import CONFIG
from agri_clip.encoders.base import Encoder, known_words_of, vectors_fingerprint_of
from agri_clip.encoders.calibration import Calibration
from agri_clip.encoders.heads import FewShotHead, Words
from agri_clip.errors import DataError, ModelError

CARD, NUMBERS, FORMAT = "adapted.json", "head.safetensors", 1

#: Numbers of every head beside its own.
_OF_WORDS = ("used", "texts", "owner")


class AdaptedEncoder:
    """An encoder with a few-shot head, a calibration, or both; vectors are those of its base.

    Parameters
    ----------
    name : str
        What picks it.
    base : Encoder
    head : FewShotHead or None
        None keeps the words, where examples did not help or only a calibration was wanted.
    calibration : Calibration or None
    fingerprint : str
        Changes with base, head and calibration.

    Attributes
    ----------
    As in `agri_clip.encoders.base.Encoder`, and

    vectors_fingerprint : str
        The base's: vectors of both can be compared, so an archive that the base filled answers to this one too.
    known_words : frozenset of str or None
    concurrent : bool
        The base's.
    """

    def __init__(
        self, name: str, base: Encoder, head: FewShotHead | None, calibration: Calibration | None, fingerprint: str
    ) -> None:
        self.name, self.base, self.head, self.calibration = name, base, head, calibration
        self.fingerprint = fingerprint
        self.vectors_fingerprint = vectors_fingerprint_of(base)
        self.known_words = known_words_of(base)
        self.concurrent = bool(getattr(base, "concurrent", False))
        # Crops of one pass of the network; None where the base takes all at once.
        self.batch_size: int | None = getattr(base, "batch_size", None)
        self.dim, self.activation = base.dim, base.activation
        self.logit_scale, self.logit_bias = base.logit_scale, base.logit_bias

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """The base's vectors of crops, (n, dim)."""
        return self.base.encode_images(crops)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """The base's vectors of texts, (n, dim)."""
        return self.base.encode_texts(texts)

    def __repr__(self) -> str:
        method = self.head.method if self.head else "words"
        return f"AdaptedEncoder({self.name!r}, base={self.base!r}, {method})"


def is_adapted(folder: Path) -> bool:
    """Whether a folder holds an encoder of this kind."""
    return (folder / CARD).is_file()


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a folder.

    Raises
    ------
    ModelError
        It cannot be read, or another version of the program wrote it.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise ModelError(f"{folder / CARD}: format: {card['format']!r} is not {FORMAT}; adapt again")
        base = card["base"]
        if not all(isinstance(base[key], str) for key in ("encoder", "fingerprint")):
            raise TypeError("base must name encoder and fingerprint")
        if is_adapted(Path(base["encoder"]).expanduser()):
            raise ModelError(f"{folder / CARD}: base: {base['encoder']} is adapted itself; adapt its base instead")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / CARD}: no card of an adapted encoder ({error!r}); adapt again") from error
    return dict(card)


def load_adapted(name: str, base: Encoder) -> AdaptedEncoder:
    """Load an adapted encoder on top of its base.

    Parameters
    ----------
    name : str
        Its folder.
    base : Encoder
        What the card names, already loaded.

    Raises
    ------
    ModelError
        The base is not the one that it was fitted on, or a file is damaged.
    """
    folder = Path(name).expanduser()
    card = read_card(folder)
    if base.fingerprint != card["base"]["fingerprint"]:
        raise ModelError(
            f"{folder / CARD}: base: it was fitted on the encoder {card['base']['encoder']} "
            f"({card['base']['fingerprint']}), but that is now {base.fingerprint}, whose vectors differ; adapt again"
        )
    try:
        head = None if card["head"] is None else _read_head(folder / NUMBERS, card["head"], base.dim)
        stated = card["calibration"]
        calibration = None if stated is None else Calibration.from_card(stated)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ModelError(f"{folder}: its card or its numbers are damaged ({error}); adapt again") from error
    return AdaptedEncoder(name, base, head, calibration, _fingerprint(folder, base))


def save_adapted(
    folder: Path,
    base: Encoder,
    head: FewShotHead | None,
    calibration: Calibration | None,
    seen: Mapping[str, Any] | None = None,
) -> None:
    """Write an adapted encoder; a card there before is replaced, other files stay.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    base : Encoder
    head, calibration
        As for `AdaptedEncoder`.
    seen : mapping, optional
        What it was fitted on: `crops`, the hashes of all crops, so that none is taken for new later; for people, more.

    Raises
    ------
    DataError
        The folder cannot be written, or holds a model of another kind.
    """
    from safetensors.numpy import save

    from agri_clip.io.writing import prepare_folder, write_bytes, write_text

    if any((folder / name).is_file() for name in ("config.json", CONFIG)):
        raise DataError(f"{folder}: holds a model's own weights already; give another folder for the adapted one")
    prepare_folder(folder)
    if head is not None:
        numbers = dict(head.arrays) | {
            "used": head.used.astype(np.uint8),
            "texts": head.words.texts.astype(np.float32),
            "owner": head.words.owner.astype(np.int64),
        }
        write_bytes(folder / NUMBERS, save({key: np.ascontiguousarray(value) for key, value in numbers.items()}))
    else:
        (folder / NUMBERS).unlink(missing_ok=True)
    card = {
        "format": FORMAT,
        "base": {"encoder": _lasting_name(base.name), "fingerprint": base.fingerprint},
        "head": None if head is None else _head_card(head),
        "calibration": None if calibration is None else calibration.to_card(),
        "seen": dict(seen or {}),
    }
    write_text(folder / CARD, json.dumps(card, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def _lasting_name(name: str) -> str:
    """A folder by its whole path, so that the card is right from any place; other names as they are."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.is_dir() else name


def _head_card(head: FewShotHead) -> dict[str, Any]:
    return {
        "method": head.method,
        "kind": head.kind,
        "labels": list(head.labels),
        "by_examples": [label for label, used in zip(head.labels, head.used, strict=True) if used],
        "weight": head.weight,
        "temperature": head.temperature,
        "logit_scale": head.words.logit_scale,
        "logit_bias": head.words.logit_bias,
    }


def _read_head(path: Path, card: Mapping[str, Any], dim: int) -> FewShotHead:
    """A head from its numbers and its part of the card; ValueError where they do not fit together."""
    from safetensors.numpy import load

    numbers = load(path.read_bytes())
    words = Words(numbers["texts"], numbers["owner"], float(card["logit_scale"]), float(card["logit_bias"]))
    labels = tuple(map(str, card["labels"]))
    if words.texts.shape[1] != dim or words.classes != len(labels) or len(numbers["used"]) != len(labels):
        raise ValueError(f"{path.name} does not belong to this card")
    return FewShotHead(
        method=str(card["method"]),
        kind=card["kind"],
        labels=labels,
        used=numbers["used"].astype(bool),
        words=words,
        weight=float(card["weight"]),
        temperature=float(card["temperature"]),
        arrays={key: value for key, value in numbers.items() if key not in _OF_WORDS},
    )


def _fingerprint(folder: Path, base: Encoder) -> str:
    """Hash of base, card and numbers: 16 hexadecimal digits."""
    whole = sha256(base.fingerprint.encode())
    for name in (CARD, NUMBERS):
        if (folder / name).is_file():
            whole.update((folder / name).read_bytes())
    return whole.hexdigest()[:16]
