"""What adapting came to, for people: lines for the terminal, and a page of Markdown beside the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fine_tune.adapt.ladder import TOWERS_FROM

if TYPE_CHECKING:
    from fine_tune.adapt.adapting import Adapted
    from fine_tune.adapt.gate import ClassVerdict

COLUMNS = ("label", "crops", "photos", "right by words", "right by examples", "nats saved", "noise", "kept by")


def class_rows(classes: Sequence[ClassVerdict]) -> list[list[str]]:
    """One row a class, under `COLUMNS`; a dash where nothing could be held out."""
    return [
        [
            each.label,
            str(each.crops),
            str(each.photos),
            *(_number(value, 2) for value in (each.words_right, each.examples_right)),
            *(_number(value, 3) for value in (each.gain, each.noise)),
            "examples" if each.used else "words",
        ]
        for each in classes
    ]


def summary_lines(result: Adapted) -> list[str]:
    """The outcome in a few sentences: method, gate, other prompts, what may come next."""
    climbed = result.climbed
    lines = [*result.findings.lines, *result.samples.notes]
    lines.append(f"method: {climbed.method} ({climbed.why})")
    lines.append(f"gate: {climbed.verdict.reason}")
    if len(climbed.tried) > 1:
        tried = ", ".join(f"{name} {loss:.3f}" for name, loss in climbed.tried)
        lines.append(f"nats by which a held-out crop is missed: {tried}")
    if result.others is not None:
        others = result.others
        lines.append(
            f"other prompts: of {others.crops} rendered crops of {others.groups} catalogued groups, asked together "
            f"with these labels, {100 * others.after:.1f} of 100 are named rightly, {100 * others.before:.1f} before; "
            "asked without them, as before"
        )
    counts = [each.crops for each in climbed.verdict.classes]
    if sorted(counts)[len(counts) // 2] >= TOWERS_FROM:
        lines.append(f"with {TOWERS_FROM} crops a class and more, --method lora may do better; it takes longer")
    return lines


def report_text(result: Adapted) -> str:
    """The report as Markdown."""
    rows = class_rows(result.climbed.verdict.classes)
    table = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS), *(" | ".join(row) for row in rows)]
    lines = [
        f"# {result.encoder}, adapted to {result.samples.source}",
        "",
        *(f"- {line}" for line in summary_lines(result)),
        "",
        *(f"| {line} |" for line in table),
        "",
        "All figures are of crops that the examples were not fitted to, split by photo. Where a class is kept by "
        "words, examples did not help it by more than noise.",
    ]
    return "\n".join(lines) + "\n"


def _number(value: float, digits: int) -> str:
    return "–" if value != value else f"{value:.{digits}f}"
