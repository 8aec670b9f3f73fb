"""Which insects of a photo were on the card already when an earlier photo of it was taken.

The card is registered by its features: keypoints of both photos are matched, and a homography maps the later photo into
the earlier one, bent a little where the card is. An insect that lies where one lay before is not new. Cards of one make
register by their print alone, so the insects themselves must agree that it is the same card.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial import KDTree

from agri_clip.photos.photo import Photo
from agri_clip.regions.card import find_card

# Keypoints are searched in a copy whose long side has this many pixels: a whitefly on a card of 25 cm has about ten.
SEARCH_SIDE = 1600
# The strongest keypoints that are kept; with 1,500 to 4,000 the same real cards were recognised, in 0.1 to 1.2 s.
MAX_KEYPOINTS = 2500
# Lowe's ratio test; the value of his paper.
RATIO = 0.8
# Lengths are shares of the photo's long side. A keypoint agrees with the plane up to this distance ...
PLANE_ERROR = 0.004
# ... and with the card, which may be bent, up to this one; what is nearest says how far a place is off the plane.
BEND = 0.04
NEIGHBOURS = 8
# Pairs of keypoints that agree with the plane; photos of cards without common print reach 10 by chance.
MIN_INLIERS = 25
# They must lie over this part of the card's keypoints, not in one corner.
MIN_SPREAD = 0.05
# A camera comes no more than three times nearer, and looks at a card from no more than some 65 degrees.
MAX_SCALE, MAX_STRETCH = 3.0, 2.5
# An insect is the same where centres are apart by no more than this share of the smaller one's length, or of the photo.
SAME_PLACE, SAME_PLACE_OF_PHOTO = 0.5, 0.002
# Of the earlier insects in sight, this share must lie in the same place; asked only of this many insects or more. See
# docs/counts.md for what real cards and others of the same print reach.
SAME_SHARE, ENOUGH_INSECTS = 0.35, 5


@dataclass(frozen=True)
class CardView:
    """What is kept of one photo of a card, instead of its pixels.

    Attributes
    ----------
    name : str
    size : tuple of int
        Width and height in pixels.
    points : ndarray, shape (k, 2), float32
        Keypoints on the card, in photo pixels.
    descriptors : ndarray, shape (k, 128), float32
        RootSIFT.
    boxes : ndarray, shape (n, 4), float64
        Insects, xyxy in photo pixels.
    counted : ndarray, shape (n,), bool
        Which of them are counted under a label.
    known : ndarray, shape (m, 4, 2), float64
        Corners of every insect counted on this card so far, where it lies in this photo; also those that this photo's
        own boxes missed.
    """

    name: str
    size: tuple[int, int]
    points: np.ndarray
    descriptors: np.ndarray
    boxes: np.ndarray
    counted: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """What comparing two photos gave.

    Attributes
    ----------
    new : ndarray, shape (n,), bool
        Which of the later photo's boxes were not there; all of them where it shows another card. Of boxes that are not
        counted nothing is said: they are True.
    same_card : bool
    reason : str
        In words: what was found again, or why the cards are taken for different ones.
    view : CardView
        The later photo, with what is known of the card after both.
    """

    new: np.ndarray
    same_card: bool
    reason: str
    view: CardView


def view_card(photo: Photo, boxes: np.ndarray, counted: np.ndarray | None = None) -> CardView:
    """Look at a photo once, so that it can be compared with others without its pixels.

    Parameters
    ----------
    photo : Photo
    boxes : ndarray, shape (n, 4)
        All its insects, xyxy in photo pixels; also those that are not counted help to tell cards apart.
    counted : ndarray, shape (n,), bool, optional
        Which of them are counted; by default all.

    Returns
    -------
    CardView

    References
    ----------
    Lowe, Distinctive image features from scale-invariant keypoints, IJCV 2004; Arandjelović and Zisserman, Three things
    everyone should know to improve object retrieval, CVPR 2012 (RootSIFT).
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    counted = np.ones(len(boxes), bool) if counted is None else np.asarray(counted, bool)
    shrink = min(1.0, SEARCH_SIDE / max(photo.width, photo.height))
    size = max(1, round(photo.width * shrink)), max(1, round(photo.height * shrink))
    grey = cv2.cvtColor(cv2.resize(photo.pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    stretch = np.array([photo.width / size[0], photo.height / size[1]], np.float32)
    mask = np.full(grey.shape, 255, np.uint8)
    card = find_card(photo)
    if card is not None:
        mask[:] = 0
        cv2.fillPoly(mask, [np.round(card.polygon / stretch).astype(np.int32)], 255)
        # A tag moves on to the next card.
        cv2.fillPoly(mask, [np.round(tag / stretch).astype(np.int32) for tag in card.tags], 0)
    keypoints, descriptors = cv2.SIFT.create(MAX_KEYPOINTS).detectAndCompute(grey, mask)
    if descriptors is None:
        descriptors = np.zeros((0, 128), np.float32)
    points = np.array([keypoint.pt for keypoint in keypoints], np.float32).reshape(-1, 2)[:MAX_KEYPOINTS]
    descriptors = descriptors[:MAX_KEYPOINTS]
    descriptors = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9))
    known = _corners(boxes[counted])
    return CardView(photo.name, (photo.width, photo.height), points * stretch, descriptors, boxes, counted, known)


def new_regions(previous: CardView, current: CardView) -> Comparison:
    """Which insects of the later photo are not those of the earlier one.

    Insects are matched one to one by place, whatever their labels, the nearest first.

    Parameters
    ----------
    previous, current : CardView

    Returns
    -------
    Comparison
    """

    registered = _register(previous, current)
    if registered is None:
        return _of_other_cards(current, "the cards have no common features")
    here, there = registered.to_previous(_corners(current.boxes)), _corners(previous.boxes)
    reach = SAME_PLACE_OF_PHOTO * max(previous.size)
    # Only what both photos show can be found again.
    both = here[_inside(here, previous.size)], there[_inside(registered.to_current(there), current.size)]
    fewer = min(map(len, both))
    again = len(_match(*both, reach)[0])
    if fewer >= ENOUGH_INSECTS and again < SAME_SHARE * fewer:
        return _of_other_cards(current, f"of {fewer} insects only {again} lie in the same place")
    counted = np.flatnonzero(current.counted)
    found, old = _match(here[counted], previous.known, reach)
    new = np.ones(len(current.boxes), bool)
    new[counted[found]] = False
    missed = np.setdiff1d(np.arange(len(previous.known)), old)
    known = np.concatenate([current.known, registered.to_current(previous.known[missed])])
    reason = f"{len(found)} of {len(counted)} were there already"
    return Comparison(new, True, reason, replace(current, known=known))


def _of_other_cards(current: CardView, reason: str) -> Comparison:
    return Comparison(np.ones(len(current.boxes), bool), False, reason, current)


@dataclass(frozen=True)
class _Registration:
    """How places of two photos belong together: a homography, and pairs of points that say where the card is bent."""

    homography: np.ndarray
    current: np.ndarray
    previous: np.ndarray

    def to_previous(self, corners: np.ndarray) -> np.ndarray:
        """Corners (n, 4, 2) of boxes from the later photo into the earlier one."""
        return _carry(corners, self.homography, self.current, self.previous)

    def to_current(self, corners: np.ndarray) -> np.ndarray:
        """Corners (n, 4, 2) of boxes from the earlier photo into the later one."""
        return _carry(corners, np.linalg.inv(self.homography), self.previous, self.current)


def _register(previous: CardView, current: CardView) -> _Registration | None:
    """Find how the later photo lies in the earlier one; None where that is not plausible.

    References
    ----------
    Barath et al., MAGSAC++, a fast, reliable and accurate robust estimator, CVPR 2020.
    """
    if min(len(previous.points), len(current.points)) < MIN_INLIERS:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(current.descriptors, previous.descriptors, k=2)
    good = [first for first, second in pairs if first.distance < RATIO * second.distance]
    if len(good) < MIN_INLIERS:
        return None
    source = current.points[[match.queryIdx for match in good]]
    target = previous.points[[match.trainIdx for match in good]]
    side = max(previous.size)
    homography, inliers = cv2.findHomography(
        source, target, cv2.USAC_MAGSAC, PLANE_ERROR * side, maxIters=5000, confidence=0.999
    )
    if homography is None or not _is_plausible(homography, source[inliers.ravel() > 0], current.points):
        return None
    near = np.linalg.norm(_project(source, homography) - target, axis=1) < BEND * side
    return _Registration(homography, source[near], target[near])


def _is_plausible(homography: np.ndarray, inliers: np.ndarray, points: np.ndarray) -> bool:
    """Whether a camera can have moved so, by enough of the card's keypoints.

    `inliers` (k, 2) are those of `points` (n, 2) that agree with the homography.
    """
    if len(inliers) < MIN_INLIERS:
        return False
    card, seen = (cv2.convexHull(each)[:, 0].astype(np.float64) for each in (points, inliers))
    if cv2.contourArea(seen.astype(np.float32)) < MIN_SPREAD * cv2.contourArea(card.astype(np.float32)):
        return False
    # The horizon must not cross the card, and the card must not be mirrored.
    depth = np.append(card, np.ones((len(card), 1)), axis=1) @ homography[2]
    if (depth <= 0).any() and (depth >= 0).any():
        return False
    middle = seen.mean(axis=0)
    steps = _project(middle + np.array([(0, 0), (1, 0), (0, 1)]), homography)
    local = (steps[1:] - steps[0]).T
    long, short = np.linalg.svd(local, compute_uv=False)
    plausible = long < MAX_STRETCH * short and 1 / MAX_SCALE < np.sqrt(long * short) < MAX_SCALE
    return bool(np.linalg.det(local) > 0 and plausible)


def _project(points: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Points (n, 2) through a homography."""
    points = np.asarray(points, np.float64).reshape(-1, 1, 2)
    return cv2.perspectiveTransform(points, homography).reshape(-1, 2) if len(points) else points.reshape(-1, 2)


def _carry(corners: np.ndarray, homography: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Corners (n, 4, 2) through a homography, shifted as the nearest pairs of points are that lie off the plane."""
    carried = _project(corners.reshape(-1, 2), homography).reshape(-1, 4, 2)
    nearest = KDTree(source).query(corners.mean(axis=1), k=NEIGHBOURS)[1]
    off = target - _project(source, homography)
    return carried + np.median(off[nearest], axis=1)[:, None]


def _match(one: np.ndarray, other: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Match boxes, given by corners (n, 4, 2) and (m, 4, 2) in one photo, one to one by their centres, nearest first.

    Centres may be apart by `SAME_PLACE` of the smaller length, or by `reach` pixels where that is more.

    Returns
    -------
    in_one, in_other : ndarray, shape (k,), int64
    """
    if not len(one) or not len(other):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    lengths = _lengths(one), _lengths(other)
    farthest = max(reach, SAME_PLACE * min(lengths[0].max(), lengths[1].max()))
    trees = KDTree(one.mean(axis=1)), KDTree(other.mean(axis=1))
    near = trees[0].sparse_distance_matrix(trees[1], farthest, output_type="coo_matrix")
    allowed = np.maximum(reach, SAME_PLACE * np.minimum(lengths[0][near.row], lengths[1][near.col]))
    apart = near.data / allowed
    taken: dict[int, int] = {}
    free = np.ones(len(other), bool)
    for i in np.lexsort((near.col, near.row, apart))[: np.count_nonzero(apart <= 1)].tolist():
        first, second = int(near.row[i]), int(near.col[i])
        if first not in taken and free[second]:
            taken[first] = second
            free[second] = False
    return np.array(list(taken), np.int64), np.array(list(taken.values()), np.int64)


def _corners(boxes: np.ndarray) -> np.ndarray:
    """Corners (n, 4, 2) of boxes (n, 4), clockwise on the screen."""
    return boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)


def _lengths(corners: np.ndarray) -> np.ndarray:
    """The longer side (n,) of quadrilaterals (n, 4, 2), opposite sides averaged."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
    return np.maximum(sides[:, 0] + sides[:, 2], sides[:, 1] + sides[:, 3]) / 2


def _inside(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which quadrilaterals (n, 4, 2) have their centre in a photo of this size."""
    centre = corners.mean(axis=1)
    return ((centre >= 0) & (centre <= size)).all(axis=1)
