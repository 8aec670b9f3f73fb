"""Finds the trap card: where insects can be, its corners and its scale. Part of step 1.

It is careful: where no card edge is convincingly seen (a leaf, a card that fills the picture) there is no card, and
nothing is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import shapely

from agri_clip.errors import AgriClipError
from agri_clip.photos.photo import Photo

#: Short and long side in millimetres of makes whose size a public source gives.
CARD_SIZES_MM: dict[str, tuple[float, float]] = {
    # Koppert's own notice lists 10 x 25, 20 x 25 and 40 x 25 cm:
    # https://phytoma.com/en/noticias/noticias-de-empresas/las-placas-adhesivas-horiver-capturan-un-400-mas-de-trips
    "horiver-10x25": (100, 250),
    "horiver-20x25": (200, 250),
    "horiver-25x40": (250, 400),
    # https://agriexpo.online/it/prod/sanidad-agricola-econex-s-l/product-191343-154368.html and -154366.html
    "econex-10x25": (100, 250),
    "econex-20x25": (200, 250),
    # "Most commonly, 3 by 5 inch sticky cards are used": http://www.hort.uconn.edu/ipm/greenhs/htms/ysc1.htm
    "3x5-inch": (76.2, 127),
}

# The card is looked for in a copy whose long side has this many pixels: a card is large, insects must vanish.
SEARCH_SIDE = 384
# A card covers at least this share of the photo; smaller things are tags, phones and pots.
MIN_SHARE = 0.12
# Above this share there is no surrounding worth leaving out.
MAX_SHARE = 0.985
# Share of its quadrilateral that a card fills. An ellipse fills 0.79 of its own, a card with cut corners over 0.9.
MIN_FILL = 0.87
# Share of the card's edge, where the photo's border does not cut it, across which the colour really changes.
MIN_EDGE = 0.7
# A change of colour that counts, in CIELAB units, over a few pixels of the small copy.
EDGE_CONTRAST = 10.0
# Room round the edge as a share of the photo's long side: insects that overlap the edge are not lost.
MARGIN = 0.006
# How much more colourful, in CIELAB chroma, a card is than a table; yellow and blue cards have 40 to 90.
COLOURED = 20.0
# A tag on a coloured card is paler than this in CIELAB, and covers at least this share of the card.
TAG_CHROMA = 14.0
TAG_SHARE = 0.008
# Bars that fit a photo into another format are no lighter than this, after JPEG.
BLACK = 12
# Measured against known proportions of the card: nearer than this means that the whole card is seen.
PROPORTION = 0.08


def parse_card_size(text: str) -> tuple[float, float]:
    """Size of a card as a user gives it: a make of `CARD_SIZES_MM`, or ``"100x250"`` in millimetres.

    Raises
    ------
    AgriClipError
        It is neither; the message lists the makes.
    """
    if text.lower() in CARD_SIZES_MM:
        return CARD_SIZES_MM[text.lower()]
    numbers = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*[x×]\s*(\d+(?:\.\d+)?)\s*", text.lower())
    if numbers is None or not all(float(number) > 0 for number in numbers.groups()):
        raise AgriClipError(
            f"card size {text!r} is not known; write it in millimetres, such as 100x250, or give a make: "
            f"{', '.join(CARD_SIZES_MM)}"
        )
    return float(numbers[1]), float(numbers[2])


@dataclass(frozen=True)
class Card:
    """A trap card in a photo.

    Attributes
    ----------
    polygon : ndarray, shape (k, 2), float32
        Its visible outline in photo pixels, convex, with a little room round it.
    corners : ndarray, shape (4, 2), float32
        Corners of the quadrilateral that fits it, clockwise on the screen; may lie outside the photo.
    sides_seen : tuple of 4 bool
        Whether side i, from corner i to corner i + 1, is an edge that the photo shows; False where the photo ends.
    confidence : float
        0 to 1: how well it fills the quadrilateral times how much of its edge is a clear change of colour.
    tags : tuple of ndarray, shape (k, 2), float32
        Outlines of white paper tags stuck on a coloured card.
    area_px : float
        Square pixels of the card that can be seen: without the room round it, without tags.
    """

    polygon: np.ndarray
    corners: np.ndarray
    sides_seen: tuple[bool, bool, bool, bool]
    confidence: float
    tags: tuple[np.ndarray, ...] = ()
    area_px: float = 0.0

    def contains(self, boxes: np.ndarray) -> np.ndarray:
        """Which boxes lie on the card, and not on a tag stuck on it: their centre does, or half of their area.

        Parameters
        ----------
        boxes : ndarray, shape (n, 4)
            xyxy in photo pixels.

        Returns
        -------
        ndarray, shape (n,), bool
        """
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
        rectangles = shapely.box(*boxes.T)
        card = shapely.Polygon(self.polygon)
        shapely.prepare(card)
        shared = shapely.area(shapely.intersection(rectangles, card))
        on_card = shapely.intersects_xy(card, x, y) | (shared >= 0.5 * np.maximum(shapely.area(rectangles), 1e-9))
        tags = shapely.unary_union([shapely.Polygon(tag) for tag in self.tags])
        return on_card & ~shapely.contains_xy(tags, x, y)

    def mm_per_pixel(self, width_mm: float, height_mm: float) -> float | None:
        """Scale from the card's known size; None where the photo shows too little of the card to tell.

        A measure counts only if both edges that bound it are seen. Where the proportions differ from the known ones, a
        tag or holder covers an end, and the measure that it leaves whole is used. Of a card cut by the photo's border,
        the whole measure is the short side if more is seen of the other than a short side could show.

        Parameters
        ----------
        width_mm, height_mm : float
            Sides of the card, in any order.
        """
        short, long = sorted((width_mm, height_mm))
        sides = np.linalg.norm(np.roll(self.corners, -1, axis=0) - self.corners, axis=1)
        # What runs along sides 0 and 2 is bounded by sides 1 and 3, and the other way round.
        measures = sorted(
            [
                (float(sides[0] + sides[2]) / 2, self.sides_seen[1] and self.sides_seen[3]),
                (float(sides[1] + sides[3]) / 2, self.sides_seen[0] and self.sides_seen[2]),
            ]
        )
        (less, less_seen), (more, more_seen) = measures
        if less <= 0:
            return None
        stretched = (more / less) / (long / short)
        if less_seen and more_seen:
            if abs(stretched - 1) < PROPORTION:
                return float(np.sqrt(short * long / (less * more)))
            return short / less if stretched < 1 else long / more
        if less_seen:
            return short / less
        # The other measure is cut: were the whole one the long side, the cut one could not be seen to exceed the short.
        return short / more if more_seen and stretched < 1 - PROPORTION else None

    def homography_mm(self, width_mm: float, height_mm: float) -> np.ndarray | None:
        """Matrix (3, 3) from photo pixels to millimetres on the card, origin at a corner, x along the short side.

        None unless all four sides are seen in the card's known proportions.
        """
        short, long = sorted((width_mm, height_mm))
        lengths = np.linalg.norm(np.roll(self.corners, -1, axis=0) - self.corners, axis=1)
        first, second = lengths[0] + lengths[2], lengths[1] + lengths[3]
        ratio = max(first, second) / max(min(first, second), 1e-9)
        if not all(self.sides_seen) or abs(ratio / (long / short) - 1) >= PROPORTION:
            return None
        corners = self.corners if first <= second else np.roll(self.corners, -1, axis=0)
        flat = np.array([[0, 0], [short, 0], [short, long], [0, long]], np.float32)
        return cv2.getPerspectiveTransform(np.ascontiguousarray(corners, np.float32), flat)


def find_card(photo: Photo) -> Card | None:
    """Find the trap card of any colour on any plain or leafy ground; None where none is convincingly seen.

    The photo is split into areas of like colour in several ways. Of all areas, the one is taken that best fills a
    quadrilateral with clear edges; green ones are leaves.

    Returns
    -------
    Card or None
        None also where the card fills the picture.
    """
    scale = min(1.0, SEARCH_SIDE / max(photo.height, photo.width))
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    if min(size) < 32:
        return None
    small = cv2.resize(photo.pixels, size, interpolation=cv2.INTER_AREA)
    left, top, right, bottom = _without_bars(small)
    # Insects and print go, edges stay.
    small = cv2.medianBlur(np.ascontiguousarray(small[top:bottom, left:right]), 7)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    found = [_judge(area, lab) for mask in _areas_of_like_colour(lab) for area in _solid_parts(mask)]
    ranked = sorted((f for f in found if f is not None), key=lambda f: -f[0])
    if not ranked or ranked[0][0] <= 0:
        return None
    card = _with_neighbours([card for _, card in ranked])
    shift = np.array([left, top], np.float32)
    stretch = np.array([photo.width / size[0], photo.height / size[1]], np.float32)
    visible = shapely.Polygon((card.polygon + shift) * stretch)
    outline = visible.buffer(MARGIN * max(photo.width, photo.height), join_style="mitre")
    outline = shapely.intersection(outline, shapely.box(0, 0, photo.width, photo.height))
    polygon = shapely.get_coordinates(outline.exterior)[:-1].astype(np.float32)
    tags = tuple(((tag + shift) * stretch).astype(np.float32) for tag in _find_tags(card.polygon, lab))
    area = visible.difference(shapely.unary_union([shapely.Polygon(tag) for tag in tags])).area
    return Card(polygon, (card.corners + shift) * stretch, card.sides_seen, card.confidence, tags, area)


def _with_neighbours(cards: list[Card]) -> Card:
    """The best card; its outline takes in others that lie beside it, whose insects would be lost otherwise."""
    best = cards[0]
    own = shapely.Polygon(best.polygon)
    whole = own
    for card in cards[1:]:
        other = shapely.Polygon(card.polygon)
        apart = own.intersection(other).area < 0.05 * other.area
        if apart and sum(card.sides_seen) >= 3 and other.area > 0.3 * own.area and card.confidence > 0.85:
            whole = whole.union(other)
    if whole is own:
        return best
    outline = shapely.get_coordinates(whole.convex_hull.exterior)[:-1].astype(np.float32)
    return replace(best, polygon=outline)


def _find_tags(hull: np.ndarray, lab: np.ndarray) -> list[np.ndarray]:
    """Quadrilaterals (4, 2) of white paper tags on a coloured card, in pixels of the small copy."""
    inside = np.zeros(lab.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(hull).astype(np.int32), 1)
    chroma = np.linalg.norm(lab[..., 1:], axis=2)
    of_card = np.median(chroma[inside > 0])
    if of_card < TAG_CHROMA * 3:
        return []
    pale = (inside > 0) & (chroma < TAG_CHROMA) & (lab[..., 0] > np.median(lab[inside > 0, 0]))
    pale = cv2.morphologyEx(pale.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))  # writing on it
    tags = []
    for contour in cv2.findContours(pale, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        rectangle = cv2.minAreaRect(contour)
        if cv2.contourArea(contour) > max(TAG_SHARE * inside.sum(), MIN_FILL * np.prod(rectangle[1])):
            tags.append(cv2.boxPoints(rectangle))
    return tags


def _without_bars(small: np.ndarray) -> tuple[int, int, int, int]:
    """What is left (x1, y1, x2, y2) of a picture without the black bars that fit a photo into another format.

    Such bars lie along one pair of sides only; black all round is a dark table.
    """
    height, width = small.shape[:2]
    lit = small.max(axis=2) > BLACK
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if not len(rows):
        return 0, 0, width, height
    # One more pixel each: shrinking mixed it with the bar.
    high = (rows[0] + (rows[0] > 0), rows[-1] + 1 - (rows[-1] < height - 1))
    wide = (columns[0] + (columns[0] > 0), columns[-1] + 1 - (columns[-1] < width - 1))
    barred_high, barred_wide = high != (0, height), wide != (0, width)
    if barred_high == barred_wide or min(high[1] - high[0], wide[1] - wide[0]) < 32:
        return 0, 0, width, height
    return int(wide[0]), int(high[0]), int(wide[1]), int(high[1])


def _areas_of_like_colour(lab: np.ndarray) -> Iterator[np.ndarray]:
    """Masks (h, w) bool of areas that may be the card, by colour alone, by colour and lightness, by lightness."""
    for features, counts in ((lab[..., 1:], (2, 3)), (lab * (0.5, 1, 1), (3, 4, 5)), (lab[..., :1], (2, 3))):
        points = np.ascontiguousarray(features.reshape(-1, features.shape[-1]), np.float32)
        for count in counts:
            labels = _cluster(points, count).reshape(lab.shape[:2])
            yield from (labels == i for i in range(count))


def _cluster(points: np.ndarray, count: int) -> np.ndarray:
    """Labels (n,) of a k-means split of points (n, d) that is the same in every run."""
    sample = points[:: max(1, len(points) // 4000)]
    # Starting centres along the main axis: deterministic, unlike OpenCV's own random starts.
    axis = np.linalg.svd(sample - sample.mean(0), full_matrices=False)[2][0]
    order = np.argsort(sample @ axis, kind="stable")
    start = np.array_split(order, count)
    labels = np.empty((len(sample), 1), np.int32)
    for i, members in enumerate(start):
        labels[members] = i
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    _, _, centres = cv2.kmeans(sample, count, labels, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    # The nearest centre by squared distance, less the square of the point, which is the same for every centre.
    return ((centres**2).sum(axis=1) - 2 * points @ centres.T).argmin(axis=1)


def _solid_parts(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Large connected parts of a mask, (h, w) uint8 0 or 1, holes filled, thin appendages (strings, stems) cut off."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 12, 12, 12, 12, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)[12:-12, 12:-12]
    least = MIN_SHARE * mask.size
    contours, _ = cv2.findContours(np.ascontiguousarray(closed), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        if cv2.contourArea(contour) < least:
            continue
        part = np.zeros(mask.shape, np.uint8)
        cv2.drawContours(part, [contour], -1, 1, -1)
        padded = cv2.copyMakeBorder(part, 12, 12, 12, 12, cv2.BORDER_REPLICATE)
        opened = np.ascontiguousarray(cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc, iterations=2)[12:-12, 12:-12])
        pieces, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
        if pieces > 1:
            largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            yield (labels == largest).astype(np.uint8)


def _judge(area: np.ndarray, lab: np.ndarray) -> tuple[float, Card] | None:
    """Score one area, and its card in pixels of the small copy; None where it is no card, 0 where it may be another."""
    height, width = area.shape
    share = area.mean()
    colour = np.median(lab[area > 0], axis=0)
    if not MIN_SHARE <= share <= MAX_SHARE or _is_leaf_green(colour):
        return None
    contour = max(cv2.findContours(area, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea)
    hull = cv2.convexHull(contour)[:, 0].astype(np.float64)
    # Pixel centres to pixel borders, so that an area at the photo's border reaches it.
    middle = hull.mean(0)
    hull = np.where(hull < middle, hull, hull + 1)
    corners = _enclosing_quadrilateral(hull)
    if corners is None:
        return None
    frame = shapely.box(0, 0, width, height)
    quadrilateral = shapely.intersection(shapely.Polygon(corners), frame)
    fill = float(area.sum() / max(quadrilateral.area, 1))
    edge, contrast = _edge_evidence(contour[:, 0].astype(np.float64), area, lab)
    seen = tuple(bool(s) for s in _sides_seen(corners, width, height))
    if fill < MIN_FILL or edge < MIN_EDGE or not _bounded(seen, share, contrast):
        return None
    confidence = min(1.0, fill) * edge
    card = Card(hull.astype(np.float32), corners.astype(np.float32), seen, confidence)  # type: ignore[arg-type]
    chroma = float(np.linalg.norm(colour[1:]))
    if chroma < COLOURED and not area[height // 2, width // 2]:
        return 0.0, card  # pale and off the centre: a tag, a phone, paper; the card itself may be too like the table
    # A neat card goes before a larger area that took in a hand or the table, a coloured one before a large white tag.
    return confidence**6 * float(np.sqrt(share)) * (1 + min(1.0, chroma / (2 * COLOURED))), card


def _is_leaf_green(colour: np.ndarray) -> bool:
    """Whether a CIELAB colour is a leaf's: clearly green, and no yellow (whose a is small beside its b)."""
    _, a, b = colour
    return bool(a < -12 and b > 8 and -a > 0.45 * b)


def _bounded(seen: tuple[bool, ...], share: float, contrast: float) -> bool:
    """Whether enough sides are seen to tell the card from its surroundings.

    The table beside a card that runs off the photo is a neat rectangle too, with one side seen; so one side is enough
    only for a large coloured area on paler ground.
    """
    return sum(seen) >= 2 or (sum(seen) == 1 and share > 0.6 and contrast > COLOURED)


def _sides_seen(corners: np.ndarray, width: int, height: int) -> np.ndarray:
    """For each side of the quadrilateral, whether most of it lies inside the photo and off its border."""
    ends = np.roll(corners, -1, axis=0)
    along = np.linspace(0.05, 0.95, 19)[None, :, None]
    points = corners[:, None] * (1 - along) + ends[:, None] * along
    near = 2.5
    x, y = points[..., 0], points[..., 1]
    inside = (x > near) & (x < width - near) & (y > near) & (y < height - near)
    return inside.mean(axis=1) > 0.5


def _edge_evidence(contour: np.ndarray, area: np.ndarray, lab: np.ndarray) -> tuple[float, float]:
    """Share of the edge with a clear change of colour, and how much more colourful the inside is than the outside.

    `contour` (n, 2) are the pixels along the edge of `area`, which goes round what covers a part of the card.
    """
    height, width = area.shape
    along = np.roll(contour, -4, axis=0) - np.roll(contour, 4, axis=0)
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.maximum(np.linalg.norm(along, axis=1), 1e-9)[:, None]
    one, other = (np.round(contour + reach * normal).astype(int) for reach in (5.0, -5.0))
    usable = np.ones(len(contour), bool)
    for point in (one, other):
        usable &= (point >= 0).all(axis=1) & (point[:, 0] < width) & (point[:, 1] < height)
    if usable.sum() < 24:
        return 0.0, 0.0
    one, other = one[usable], other[usable]
    if area[one[:, 1], one[:, 0]].mean() > area[other[:, 1], other[:, 0]].mean():
        one, other = other, one
    outer, inner = lab[one[:, 1], one[:, 0]], lab[other[:, 1], other[:, 0]]
    change = np.linalg.norm(outer - inner, axis=1)
    chroma_outer, chroma_inner = (np.median(np.linalg.norm(colour[:, 1:], axis=1)) for colour in (outer, inner))
    return float((change > EDGE_CONTRAST).mean()), float(chroma_inner - chroma_outer)


def _enclosing_quadrilateral(hull: np.ndarray) -> np.ndarray | None:
    """A small quadrilateral (4, 2) round a convex polygon (n, 2), clockwise on the screen; None where there is none.

    Of the polygon's sides the one whose removal adds least area goes, until four are left.
    """
    polygon = shapely.simplify(shapely.Polygon(hull), 1.0)
    points = shapely.get_coordinates(shapely.geometry.polygon.orient(polygon, sign=1.0).exterior)[:-1]
    while len(points) > 4:
        added = np.full(len(points), np.inf)
        meets = np.zeros_like(points)
        for i in range(len(points)):  # side i runs from point i to point i + 1
            before, start, end, after = (points[(i + k) % len(points)] for k in (-1, 0, 1, 2))
            into, out_of = start - before, after - end
            turn = into[0] * out_of[1] - into[1] * out_of[0]
            if turn <= 1e-9:  # the neighbours do not meet beyond this side
                continue
            gap = end - start
            reach = (gap[0] * out_of[1] - gap[1] * out_of[0]) / turn
            meets[i] = start + reach * into
            added[i] = abs(np.cross(np.append(meets[i] - start, 0), np.append(gap, 0))[2]) / 2
        least = int(added.argmin())
        if not np.isfinite(added[least]):
            return None
        points[least] = meets[least]
        points = np.delete(points, (least + 1) % len(points), axis=0)
    return points if len(points) == 4 else None
