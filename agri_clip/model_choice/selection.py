"""Which encoder and proposer a run uses: its own option, else the user's settings file, else what ships.

Nothing is loaded here and torch is not imported, so a name that cannot work is refused at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from agri_clip import encoders, regions
from agri_clip.errors import AgriClipError, DataError, ModelError
from agri_clip.models import defaults
from agri_clip.models.defaults import Kind, UserModels


@dataclass(frozen=True)
class ModelChoice:
    """An encoder and a proposer by name.

    Attributes
    ----------
    encoder, proposer : str
    by_user : tuple of str
        Which of the two the settings file decided.
    """

    encoder: str = defaults.ENCODER
    proposer: str = defaults.PROPOSER
    by_user: tuple[Kind, ...] = ()

    @property
    def note(self) -> str | None:
        """One line for people where the settings file decided; None where it did not."""
        if not self.by_user:
            return None
        names = " and ".join(f"{kind} {getattr(self, kind)}" for kind in self.by_user)
        return f"{names}: your default from {defaults.settings_file()}"


@dataclass(frozen=True)
class Used:
    """What `use_model` did.

    Attributes
    ----------
    kind : {"encoder", "proposer"}
    name : str
        As the settings file has it; the path of a file or folder is whole.
    file : Path or None
        The settings file; None where it was removed because nothing but what ships is chosen.
    notes : tuple of str
        What the user should know.
    """

    kind: Kind
    name: str
    file: Path | None
    notes: tuple[str, ...] = ()


def choose_models(encoder: str | None = None, proposer: str | None = None) -> ModelChoice:
    """Choose the models of one run.

    Parameters
    ----------
    encoder, proposer : str or None
        What the user asked for in this run; None takes the default.

    Raises
    ------
    DataError
        The settings file cannot be read; names file, line, field and remedy.
    ModelError
        A model of the settings file is not on this machine any more.
    """
    user = UserModels() if encoder is not None and proposer is not None else defaults.read_user_models()
    by_user: list[Kind] = []
    if encoder is None and user.encoder is not None:
        _check("encoder", user.encoder)
        by_user.append("encoder")
    if proposer is None and user.proposer is not None:
        _check("proposer", user.proposer)
        by_user.append("proposer")
    return ModelChoice(
        encoder=encoder if encoder is not None else user.encoder or defaults.ENCODER,
        proposer=proposer if proposer is not None else user.proposer or defaults.PROPOSER,
        by_user=tuple(by_user),
    )


def use_model(name: str) -> Used:
    """Make a model the default of every command and of the page. Its name tells whether it is an encoder or a proposer.

    Parameters
    ----------
    name : str
        As for `get_encoder` or `get_proposer`; ``"builtin"`` and ``"insect-yolo"`` go back to what ships.

    Raises
    ------
    ModelError
        There is no such model, or it is not on this machine; with the command that fetches it.
    DataError
        The settings file cannot be written.
    """
    kind: Kind = "proposer" if name != defaults.ENCODER and regions.is_proposer(name) else "encoder"
    notes: list[str] = []
    if kind == "proposer":
        regions.check_here(name)
        lasting, ships = regions.lasting_name(name), defaults.PROPOSER
    else:
        encoders.check_here(name)
        path = Path(name).expanduser()
        lasting = str(path.resolve()) if name != defaults.ENCODER and path.is_dir() else name
        ships = defaults.ENCODER
    try:
        before = defaults.read_user_models()
    except DataError as error:
        before = UserModels()
        notes.append(f"the settings file was damaged and is written anew: {error}")
    user = replace(before, **{kind: None if lasting == ships else lasting})
    file = defaults.write_user_models(user)
    notes += _notes(kind, user)
    return Used(kind, lasting, file, tuple(notes))


def _check(kind: Kind, name: str) -> None:
    """Refuse a default that cannot be used, and say where it stands."""
    try:
        if kind == "encoder":
            encoders.check_here(name)
        else:
            regions.check_here(name)
    except ModelError as error:
        ships = defaults.ENCODER if kind == "encoder" else defaults.PROPOSER
        raise ModelError(
            f"{defaults.settings_file()}: {kind}: {error}; or go back to what ships: agri-clip models use {ships}"
        ) from error


def _notes(kind: Kind, user: UserModels) -> list[str]:
    """What follows from a choice: what the other kind is, and whether thresholds were fitted for the two."""
    notes = []
    if kind == "encoder" and user.encoder is None and user.proposer is not None:
        notes.append(f"the proposer stays {user.proposer}; to go back: agri-clip models use {defaults.PROPOSER}")
    encoder, proposer = user.encoder or defaults.ENCODER, user.proposer or defaults.PROPOSER
    if not _is_fitted(proposer, encoder):
        notes.append(
            f"no thresholds are fitted for the proposer {proposer} with the encoder {encoder}: --precision is refused, "
            "and the usual threshold was measured with the models that ship. Check the first photos by eye, or fit "
            f"them: python -m fine_tune.thresholds --proposer {proposer} --encoder {encoder}"
        )
    return notes


def _is_fitted(proposer: str, encoder: str) -> bool:
    """Whether the table of thresholds has a row for two models by name; the proposer's version is not looked at."""
    from agri_clip.scoring.thresholds import TABLE, read_table

    try:
        fingerprint, rows = encoders.fingerprint_here(encoder), read_table(TABLE)
    except (AgriClipError, OSError):
        return False
    return any(row.proposer.split()[0] == proposer and row.encoder == fingerprint for row in rows)
