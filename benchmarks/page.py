"""The page of figures: Markdown for a reader who advises growers, from what benchmarks/models.py measured."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.intervals import DRAWS

Figures = Mapping[str, Any]
#: What an absent figure looks like.
NOTHING = "–"
#: Characters in a line of prose.
WIDTH = 120


def write_page(figures: Figures) -> str:
    """The whole page; a part that was not measured has no section, and an absent model no row.

    Parameters
    ----------
    figures : mapping
        `made`, `absent`, and what there is of `photos`, `encoders`, `proposers`, `pipeline` and `speed`; `earlier`
        holds the `made` of those of them that are of an earlier run.
    """
    sections: dict[str, Callable[[Figures], list[str]]] = {
        "photos": _photos,
        "encoders": _encoders,
        "proposers": _proposers,
        "pipeline": _whole_way,
        "speed": _speed,
    }
    blocks = _head(figures)
    for name, section in sections.items():
        part = figures.get(name, {})
        if part.get("models") or part.get("rows") or part.get("runs"):
            blocks += section(part)
    return "\n\n".join(blocks) + "\n"


def cell(figure: Figures | None, digits: int = 3) -> str:
    """A figure and its interval, such as ``0.325 (0.308 to 0.343)``."""
    if figure is None or figure["value"] is None:
        return NOTHING
    low, high = figure["interval"]
    return f"{figure['value']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def percent(figure: Figures | None) -> str:
    """A share as a percentage and its interval."""
    if figure is None or figure["value"] is None:
        return NOTHING
    low, high = (100 * value for value in figure["interval"])
    return f"{100 * figure['value']:.1f} % ({low:.1f} to {high:.1f})"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [list(columns), ["---", *["--:"] * (len(columns) - 1)], *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def prose(text: str) -> str:
    """A paragraph, filled anew."""
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def _plain(value: float | None, digits: int = 3) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _head(figures: Figures) -> list[str]:
    made = figures["made"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    blocks = [
        "# Figures of the models",
        f"Written on {made['date']} by",
        f"```\n{made['command']}\n```",
        prose("""
            which measures every model that is on the machine on every labelled set that is there; nothing on this page
            is written by hand. `DIR` holds labelled photos: `val.json` and `train.json` (COCO) and `images/`.
        """),
        prose(f"Measured on: {made['machine']}. {versions}."),
        prose(f"""
            After each figure stands its 95 % interval, from {DRAWS:,} bootstrap samples of the photos (of the crops,
            where these are rendered one by one). It says how far the figure could move with other photos of the same
            kind; other places, cameras and traps, or a second training run, may move it further.
        """),
    ]
    titles = {
        "photos": "Photos of real insects",
        "encoders": "Encoders",
        "proposers": "Proposers",
        "pipeline": "The whole way",
        "speed": "Speed",
    }
    for name, then in figures.get("earlier", {}).items():
        blocks.append(
            prose(f"""
            *{titles[name]}*: measured before, on {then["date"]}, on {then["machine"]}, by `{then["command"]}`.
        """)
        )
    absent = [f"`{name}`" for names in figures["absent"].values() for name in names]
    return [*blocks, *([prose(f"Not present there, so without a row: {', '.join(absent)}.")] if absent else [])]


def _photos(part: Figures) -> list[str]:
    models = part["models"]
    blocks = ["## Photos of real insects"]
    if any("naming" in figures for figures in models.values()):
        rows = [
            [label, split, str(of["photos"]), *(cell(of[name]) for name in ("top1", "macro", "top5"))]
            for label, figures in models.items()
            for split, of in figures.get("naming", {}).items()
        ]
        blocks += [
            prose("""
                Whole photos, padded to squares; 45 groups, each name a bare word such as "a moth"; chance is 0.022. No
                model of this project was trained on any of them. *Mean over groups* counts a group with few photos as
                much as one with many; *among five* asks whether the right name is one of the best five. Some photos
                may be among those that the starting weights were trained on (ImageNet).
            """),
            table(["encoder", "photos", "number", "right", "mean over groups", "among five"], rows),
        ]
        close = [
            [label, str(f["close_ups"]["photos"]), percent(f["close_ups"]["found"]), percent(f["close_ups"]["large"])]
            for label, f in models.items()
            if "close_ups" in f
        ]
        blocks += [
            "### Insects that fill the photo",
            prose("""
                Share of photos of one insect in which the prompt "an insect" counts anything, and in which a counted
                box takes at least 4 % of the photo. More than half of them were trained on.
            """),
            table(["encoder", "photos", "anything counted", "a large box"], close),
        ]
    leaves = [figures["leaves"] for figures in models.values() if "leaves" in figures][:1]
    for of in leaves:
        blocks += [
            "### Small insects on leaves",
            prose(f"""
                The default proposer on {of["photos"]} photos of leaves with {of["insects"]} labelled whiteflies, none
                of them trained on; some insects have no label, so precision is understated.
            """),
            table(
                ["AP50", "recall, best 3 boxes an insect", "recall, all boxes", "boxes for each insect"],
                [[cell(of["ap50"]), cell(of["recall_best"]), cell(of["recall"]), cell(of["boxes_per_insect"], 1)]],
            ),
        ]
    for label, figures in models.items():
        check = figures.get("naming", {}).get("check")
        if label == "builtin" and check:
            rows = [[name, str(row["photos"]), _plain(row["right"], 2)] for name, row in check["groups"].items()]
            blocks += [
                "### Group by group: `builtin`, photos of *check*",
                table(["group", "photos", "right"], rows),
            ]
    return blocks


def _encoders(part: Figures) -> list[str]:
    sets, models = part["sets"], part["models"]
    drawn, real = sets["rendered"], sets["real"]
    blocks = [
        "## Encoders: what a crop shows",
        prose(f"""
            *Rendered crops*: {drawn["insects"]:,} drawn insects and {drawn["backgrounds"]:,} drawn crops without one
            (glue, print, dirt, drops, shadows …), {drawn["side"]} pixels wide, of seeds that no training uses. They are
            drawings: who was trained on such drawings has an advantage over who was trained on photos.
        """),
    ]
    if real:
        blocks.append(
            prose(f"""
                *Real crops*: all {real["insects"]:,} labelled insects of the {real["photos"]} photos of `val.json`, and
                {real["backgrounds"]:,} patches of the same photos without any. Naming is not measured on them.
            """)
        )
    return [
        *blocks,
        *_naming(models, sets),
        *_attributes(models, sets),
        *_insect_or_not(models, bool(real)),
        *_blur(models, sets),
        *_groups(models),
    ]


def _naming(models: Figures, sets: Figures) -> list[str]:
    everything, common = sets["groups"], sets["common_groups"]
    columns = [f"{everything} groups", f"{common} groups", f"{everything} groups, 8 views", f"{common} groups, 8 views"]
    kinds = ("all", "common", "all_views", "common_views")
    return [
        "### Naming",
        prose(f"""
            Share of rendered insects whose own name fits best of {everything}, each name a bare word such as
            "a whitefly"; and of the {common} groups that traps and crops show most (fixed beforehand), on insects of
            these groups. "8 views" looks at each crop turned and mirrored, which takes eight times as long.
        """),
        table(
            ["encoder", *columns],
            [[label, *(cell(figures["naming"][kind]) for kind in kinds)] for label, figures in models.items()],
        ),
    ]


def _attributes(models: Figures, sets: Figures) -> list[str]:
    facts = sets["attributes"]
    rows = [[label, *(cell(figures["attributes"][name]) for name in facts)] for label, figures in models.items()]
    rows.append(["*always the same answer*", *(_plain(fact["commonest"]) for fact in facts.values())])
    return [
        "### Looks",
        prose("""
            Share of rendered insects for which the phrase that fits best, such as "a black insect" or "an insect with
            clear wings", is true; a crop may have more than one true answer. The last row gives one answer to all
            crops, the one that is true most often.
        """),
        table(["encoder", *(f"{name}, {fact['ways']} answers" for name, fact in facts.items())], rows),
    ]


def _insect_or_not(models: Figures, real: bool) -> list[str]:
    sets = ["rendered", *(["real"] if real else [])]
    return [
        "### Insect or not",
        prose("""
            Chance that a crop with an insect fits "an insect" better than a crop without one does (AUROC): 0.5 is
            guessing, 1 is perfect. Crops without one are taken at random here; what a proposer takes for an insect is
            harder to tell.
        """),
        table(
            ["encoder", *(f"{name} crops" for name in sets)],
            [[label, *(cell(figures["auroc"].get(name)) for name in sets)] for label, figures in models.items()],
        ),
    ]


def _blur(models: Figures, sets: Figures) -> list[str]:
    rows = [
        [label, cell(f["blur"]["top1"]), cell(f["blur"]["share"], 2), f["blur"]["group"]] for label, f in models.items()
    ]
    return [
        "### Very small insects",
        prose(f"""
            The same rendered insects shrunk to {sets["blurred_side"]} pixels and back. A name that most such crops are
            given makes false counts: the third column says how often the commonest answer is given, where 1 is an even
            share of all answers.
        """),
        table(["encoder", f"right of {sets['groups']}", "commonest answer, times an even share", "which"], rows),
    ]


def _groups(models: Figures) -> list[str]:
    if "builtin" not in models:
        return []
    rows = [
        [name, _plain(row["recall"], 2), f"{row['crops']:,}", row["taken_for"] or NOTHING]
        for name, row in models["builtin"]["groups"].items()
    ]
    return [
        "### Group by group: `builtin`",
        prose("Share of each group's rendered insects named right of all groups, and the name given most instead."),
        table(["group", "right", "crops", "most often taken for"], rows),
    ]


def _proposers(part: Figures) -> list[str]:
    sets, models = part["sets"], part["models"]
    blocks = [
        "## Proposers: where something is",
        prose("""
            A box has found an insect where they overlap by half (IoU 0.5). AP50 is the average precision at this
            overlap: 1 where every insect has a box and no wrong box stands before these. "Best 3" takes the best boxes,
            three for each labelled insect on average. Only boxes on the card count, where a card is found.
        """),
    ]
    real, drawn = sets["real"], sets["rendered"]
    if real:
        blocks += [
            prose(f"""
                *Real photos*: the {real["photos"]} whole photos of `val.json` with {real["insects"]:,} labelled
                insects.
            """),
            _box_table(models, "real"),
        ]
    return [
        *blocks,
        prose(f"""
            *Rendered photos*: {drawn["photos"]} drawn photos with {drawn["insects"]:,} insects of any group,
            {sets["per_kind"]} of each kind of ground, of seeds that no training uses.
        """),
        _box_table(models, "rendered"),
        *_kinds(models | part["left_out"], part["left_out_kinds"] if part["left_out"] else []),
    ]


def _box_table(models: Figures, kind: str) -> str:
    columns = ["proposer", "AP50", "recall, best 3", "recall, all boxes", "boxes per insect"]
    rows = [
        [label, *_cells(f[kind], ("ap50", "recall_best", "recall")), cell(f[kind]["boxes_per_insect"], 1)]
        for label, f in models.items()
    ]
    return table(columns, rows)


def _kinds(models: Figures, left_out: Sequence[str]) -> list[str]:
    kinds = list(dict.fromkeys(kind for figures in models.values() for kind in figures["kinds"]["each"]))
    means = {"mean": "mean"}
    text = "AP50 by kind of ground."
    if left_out:
        means |= {"mean_in": "mean of the others", "mean_out": "mean of *these*"}
        text += """ The network in the last row never saw the kinds in italics: it tells how well such a proposer does
            on ground that it was not trained on."""
    rows = [
        [
            label,
            *(cell(figures["kinds"]["each"][kind], 2) for kind in kinds),
            *(cell(figures["kinds"][mean], 2) for mean in means),
        ]
        for label, figures in models.items()
    ]
    shown = [f"*{kind}*" if kind in left_out else kind for kind in kinds]
    return [prose(text), table(["proposer", *shown, *means.values()], rows)]


def _cells(part: Figures, names: Iterable[str]) -> list[str]:
    return [cell(part[name]) for name in names]


def _whole_way(part: Figures) -> list[str]:
    sets, rows = part["sets"], part["rows"]
    real, train, traps = sets["real"], sets["train"], sets["traps"]
    blocks = [
        "## The whole way: counts of insects",
        prose(f"""
            From photo to count with the prompt "{sets["prompt"]}". Precision: share of what is counted that is a
            labelled insect. Recall: share of the labelled insects that is counted. F1: both in one. These hold at the
            program's default threshold, {rows[0]["default_threshold"]:g}; AP50 needs none.
        """),
    ]
    if real:
        chosen = """
            once with the threshold that makes it least on {photos} photos of `train.json`, chosen there for each row
            and used as it is on `val.json` (the models may have been trained on those photos), and once
        """
        blocks += [
            prose(f"""
                *Real photos*: the {real["photos"]} photos of `val.json` with {real["insects"]:,} labelled insects.
                Counting error: how far the count of a photo is off, as a share of its labelled insects, mean over
                photos; {chosen.format(**train) if train else ""} at the default threshold.
            """),
            _counting_table(rows, bool(train)),
        ]
    return [
        *blocks,
        prose(f"""
            *Rendered traps*: {traps["photos"]} whole drawn traps with {traps["insects"]:,} insects, of seeds that no
            training uses.
        """),
        table(
            ["proposer", "encoder", "precision", "recall", "F1"],
            [[row["proposer"], row["encoder"], *_cells(row["traps"], ("precision", "recall", "f1"))] for row in rows],
        ),
    ]


def _counting_table(rows: Sequence[Figures], trained: bool) -> str:
    columns = ["proposer", "encoder", "AP50", "precision", "recall", "F1"]
    columns += [*(["threshold", "counting error"] if trained else []), "counting error, default threshold"]
    body = []
    for row in rows:
        real = row["real"]
        chosen = [_plain(real.get("threshold")), percent(real.get("counting_error"))] if trained else []
        figures = _cells(real, ("ap50", "precision", "recall", "f1"))
        body.append([row["proposer"], row["encoder"], *figures, *chosen, percent(real["counting_error_default"])])
    return table(columns, body)


def _speed(part: Figures) -> list[str]:
    names = {
        "program": "the program, everything",
        "regions": "naive: regions",
        "crops": "naive: crops, one at a time",
        "texts": "naive: texts, again for each crop",
        "scores": "naive: scores and merging",
    }
    return [
        "## Speed",
        prose(f"""
            One drawn trap of {part["megapixels"]:.0f} megapixels with {part["insects"]} insects. `{part["proposer"]}`
            gives {part["regions"]} regions; `{part["encoder"]}` names them by the prompt set "{part["prompts"]}", which
            has {part["texts"]} texts. From pixels in memory to labels, models loaded; medians of {len(part["runs"])}
            pairs of runs.
        """),
        prose("""
            The naive program has the same two models. It asks the proposer for regions by the same call, in which a
            network reads one slice of the photo at a time. Then it encodes each crop by itself, and for each crop all
            texts of the prompts again. Scores and merging are the same. The program encodes crops in batches and each
            text once.
        """),
        table(["", "seconds"], [[text, f"{part['seconds'][name]:.1f}"] for name, text in names.items()]),
        prose(f"""
            The program is **{part["ratio"]:.1f} times** as fast; had the naive one encoded the texts only once, it
            would be **{part["ratio_texts_once"]:.1f} times**. Both give the same label to {part["same_labels"]} of the
            {part["labels"]} regions of the result.
        """),
    ]
