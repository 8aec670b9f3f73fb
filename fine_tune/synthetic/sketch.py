"""A resolution-free drawing of one insect: parts, wings and lines in body lengths, rasterised to premultiplied RGBA.

The anatomy modules write into a `Sketch`; crops and traps rasterise it at the size they need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

Colour = tuple[float, float, float]
Mark = tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], Colour, float]

PROFILE_STEPS = 128


def profile(*half_widths: float, blunt: float = 4.0) -> np.ndarray:
    """Sample a half-width curve along an axis from evenly spaced control values, rounded off at both ends.

    Parameters
    ----------
    *half_widths : float
        Half widths from the rear (or root) to the front (or tip), as fractions of the part's half width.
    blunt : float
        Exponent of the rounding at the ends; 2 is an ellipse, larger is blunter.

    Returns
    -------
    numpy.ndarray
        (PROFILE_STEPS + 1,) float32.
    """
    u = np.linspace(0, 1, PROFILE_STEPS + 1)
    curve = np.interp(u, np.linspace(0, 1, len(half_widths)), half_widths)
    if len(half_widths) > 2:
        curve = np.convolve(np.pad(curve, 12, mode="edge"), np.full(25, 1 / 25), mode="valid")
    return (curve * np.maximum(0, 1 - np.abs(2 * u - 1) ** blunt) ** (1 / blunt)).astype(np.float32)


ELLIPSE = profile(1, 1, blunt=2.0)


@dataclass(frozen=True, slots=True)
class Paint:
    """How a surface looks: base colour, marks over it, relief, shine, cover."""

    colour: Colour
    marks: tuple[Mark, ...] = ()
    relief: float = 0.5
    gloss: float = 0.15
    alpha: float = 1.0
    grain: float = 0.08
    rim: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A surface around an axis; `upper` and `lower` are half widths left and right of the axis, in body lengths."""

    root: tuple[float, float]
    angle: float
    length: float
    upper: np.ndarray
    lower: np.ndarray
    paint: Paint
    veins: tuple[np.ndarray, ...] = ()
    vein_width: float = 0.008
    vein_colour: Colour = (60, 50, 40)
    fringe: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """Polylines of one width and colour, in body lengths."""

    points: tuple[np.ndarray, ...]
    width: float
    colour: Colour


@dataclass
class Sketch:
    """Drawing operations, in body lengths: the body lies along x, head towards +x, from about -0.5 to 0.5."""

    operations: list[Part | Line] = field(default_factory=list)
    tone: float = 1.0

    def _tint(self, colour: Sequence[float]) -> Colour:
        return (colour[0] * self.tone, colour[1] * self.tone, colour[2] * self.tone)

    def body(
        self,
        centre: tuple[float, float],
        length: float,
        width: float,
        paint: Paint,
        shape: np.ndarray = ELLIPSE,
        angle: float = 0.0,
    ) -> None:
        """Add a part symmetric about its axis, given by its centre."""
        root = (centre[0] - np.cos(angle) * length / 2, centre[1] - np.sin(angle) * length / 2)
        half = shape * (width / 2)
        self.operations.append(Part(root, angle, length, half, half, self._painted(paint)))

    def wing(
        self,
        root: tuple[float, float],
        length: float,
        width: float,
        angle: float,
        paint: Paint,
        upper: np.ndarray,
        lower: np.ndarray,
        veins: Sequence[Sequence[tuple[float, float]]] = (),
        vein_colour: Colour = (70, 58, 46),
        vein_width: float = 0.008,
        fringe: float = 0.0,
        mirrored: bool = False,
    ) -> None:
        """Add a wing from its root; veins are polylines of (u along, v across in half widths)."""
        if mirrored:
            upper, lower = lower, upper
            veins = [[(u, -v) for u, v in vein] for vein in veins]
        scaled = tuple(np.array([(u * length, v * width / 2) for u, v in vein], np.float32) for vein in veins)
        self.operations.append(
            Part(
                root,
                angle,
                length,
                upper * (width / 2),
                lower * (width / 2),
                self._painted(paint),
                scaled,
                vein_width,
                self._tint(vein_colour),
                fringe,
            )
        )

    def line(self, points: Sequence[Sequence[float]] | np.ndarray, width: float, colour: Sequence[float]) -> None:
        """Add one polyline."""
        self.operations.append(Line((np.asarray(points, np.float32),), width, self._tint(colour)))

    def lines(self, many: Sequence[np.ndarray], width: float, colour: Sequence[float]) -> None:
        """Add many polylines of one width and colour."""
        self.operations.append(
            Line(tuple(np.asarray(points, np.float32) for points in many), width, self._tint(colour))
        )

    def _painted(self, paint: Paint) -> Paint:
        if self.tone == 1.0:
            return paint
        marks = tuple((where, self._tint(colour), strength) for where, colour, strength in paint.marks)
        return Paint(self._tint(paint.colour), marks, paint.relief, paint.gloss, paint.alpha, paint.grain, paint.rim)

    def bounds(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and highest x and y, each (2,), after a 2x2 matrix."""
        clouds: list[np.ndarray] = []
        for operation in self.operations:
            if isinstance(operation, Line):
                clouds.extend(operation.points)
            else:
                clouds.append(_outline(operation))
        points = np.concatenate(clouds) @ matrix.T
        return points.min(axis=0), points.max(axis=0)

    def rasterise(
        self, matrix: np.ndarray, long_side: float, light: float, grain: np.ndarray, scale: float | None = None
    ) -> np.ndarray:
        """Draw at a size.

        Parameters
        ----------
        matrix : numpy.ndarray
            (2, 2) rotation, flip and squash.
        long_side : float
            Length in pixels of the longer side of the drawing's bounding box.
        light : float
            Direction the light comes from, radians in the image.
        grain : numpy.ndarray
            (h, w) float32 noise around zero, used as surface texture.
        scale : float, optional
            Pixels per body length, instead of `long_side`.

        Returns
        -------
        numpy.ndarray
            (h, w, 4) float32, premultiplied colours in 0..255, alpha in 0..1.
        """
        low, high = self.bounds(matrix)
        scale = scale or long_side / float((high - low).max())
        matrix = matrix * scale
        offset = -low * scale + 3.0
        width, height = np.ceil((high - low) * scale + 6).astype(int)
        layer = np.zeros((height, width, 4), np.float32)
        for operation in self.operations:
            if isinstance(operation, Line):
                points = [np.round((p @ matrix.T + offset) * 8).astype(np.int32) for p in operation.points]
                thickness = max(1, round(operation.width * scale))
                cv2.polylines(layer, points, False, (*operation.colour, 1.0), thickness, cv2.LINE_8, 3)
            else:
                _draw_part(layer, operation, matrix, offset, scale, light, grain)
        return layer


def _outline(part: Part) -> np.ndarray:
    """Return the outline, (n, 2) float32, of a part in body lengths."""
    index = np.arange(0, PROFILE_STEPS + 1, 8)
    along = index / PROFILE_STEPS * part.length
    c, s = np.cos(part.angle), np.sin(part.angle)
    across = np.concatenate([part.upper[index], -part.lower[index]])
    along = np.concatenate([along, along])
    return np.stack([part.root[0] + along * c - across * s, part.root[1] + along * s + across * c], axis=1).astype(
        np.float32
    )


def _draw_part(
    layer: np.ndarray, part: Part, matrix: np.ndarray, offset: np.ndarray, scale: float, light: float, grain: np.ndarray
) -> None:
    """Shade one part into the layer, in place."""
    c, s = np.cos(part.angle), np.sin(part.angle)
    to_pixels = matrix @ np.array([[c, -s], [s, c]])
    root = matrix @ np.array(part.root) + offset
    corners = _outline(part) @ matrix.T + offset
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int) + 2
    roi = layer[y0:y1, x0:x1]
    if roi.size == 0:
        return
    inverse = np.linalg.inv(to_pixels)
    xs = np.arange(x0, x0 + roi.shape[1], dtype=np.float32) - np.float32(root[0])
    ys = np.arange(y0, y0 + roi.shape[0], dtype=np.float32) - np.float32(root[1])
    u = (xs * np.float32(inverse[0, 0] / part.length))[None] + (ys * np.float32(inverse[0, 1] / part.length))[:, None]
    v = (xs * np.float32(inverse[1, 0]))[None] + (ys * np.float32(inverse[1, 1]))[:, None]
    step = np.clip((u * PROFILE_STEPS).astype(np.int32), 0, PROFILE_STEPS)
    symmetric = part.upper is part.lower
    half = part.upper[step] if symmetric else np.where(v >= 0, part.upper[step], part.lower[step])
    inside = (np.abs(v) < half) & (u >= 0) & (u <= 1)
    if not inside.any():
        return
    u, t = u[inside], v[inside] / half[inside]
    paint = part.paint
    local_light = to_pixels.T @ np.array([np.cos(light), np.sin(light)]) / scale
    slope = t * np.float32(local_light[1] * paint.relief) + (2 * u - 1) * np.float32(
        local_light[0] * 0.5 * paint.relief
    )
    facing = 1 - t * t
    shade = 1 - paint.relief * (0.55 - 0.6 * facing) + 0.55 * slope
    texture = grain[y0 % 64 : y0 % 64 + roi.shape[0], x0 % 64 : x0 % 64 + roi.shape[1]]
    if texture.shape == inside.shape:
        shade = shade + texture[inside] * np.float32(paint.grain)
    pixels = np.empty((u.size, 3), np.float32)
    pixels[:] = paint.colour
    for where, colour, strength in paint.marks:
        weight = (where(u, t) * np.float32(strength))[:, None]
        pixels += (np.asarray(colour, np.float32) - pixels) * weight
    pixels *= shade[:, None]
    if paint.gloss:
        lit = np.clip(0.25 + facing * 0.35 + slope, 0, 1)
        pixels += (lit**6 * np.float32(240 * paint.gloss))[:, None]
    np.clip(pixels, 0, 255, out=pixels)
    alpha: np.ndarray | np.float32 = np.float32(paint.alpha)
    if paint.rim:
        alpha = np.clip(paint.alpha + paint.rim * (np.abs(t) > 0.9), 0, 1)[:, None].astype(np.float32)
    under = roi[inside]
    under *= 1 - alpha
    under[:, :3] += pixels * alpha
    under[:, 3:] += alpha
    roi[inside] = under
    if part.veins or part.fringe:
        _draw_veins(roi, part, to_pixels, root - (x0, y0), scale, inside)


def _draw_veins(
    roi: np.ndarray, part: Part, to_pixels: np.ndarray, root: np.ndarray, scale: float, inside: np.ndarray
) -> None:
    """Draw a wing's veins, cut at its edge, and its fringe of hairs, which is not."""
    thickness = max(1, round(part.vein_width * scale))
    if part.veins:
        web = np.zeros(inside.shape, np.uint8)
        cv2.polylines(
            web,
            [np.round((vein @ to_pixels.T + root) * 8).astype(np.int32) for vein in part.veins],
            False,
            1,
            thickness,
            cv2.LINE_8,
            3,
        )
        on = (web > 0) & inside
        strength = np.float32(0.75)
        under = roi[on] * (1 - strength)
        under[:, :3] += np.asarray(part.vein_colour, np.float32) * strength
        under[:, 3] += strength
        roi[on] = under
    if part.fringe:
        u = np.linspace(0.15, 0.98, 16)
        step = (u * PROFILE_STEPS).astype(int)
        hairs = []
        for side, half in ((1, part.upper[step]), (-1, part.lower[step])):
            start = np.stack([u * part.length, side * half], axis=1)
            end = start + np.array([part.fringe * 0.7, side * part.fringe])
            hairs.extend(np.round((np.stack([start, end], axis=1) @ to_pixels.T + root) * 8).astype(np.int32))
        cv2.polylines(roi, hairs, False, (*part.vein_colour, 1.0), 1, cv2.LINE_8, 3)
