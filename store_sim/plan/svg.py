"""A drawing as SVG text. Colours are left to classes, so that a page can be light and dark."""

from __future__ import annotations

from html import escape

from store_sim.plan.draw import Drawing, Shape

__all__ = ["svg"]

UNIT_PX = 100.0
"""SVG units per metre."""


def svg(drawing: Drawing, *, key: str) -> str:
    """The SVG element; `key` makes its ids its own in the page."""
    width = (drawing.high[0] - drawing.low[0]) * UNIT_PX
    height = (drawing.high[1] - drawing.low[1]) * UNIT_PX
    parts = [
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-labelledby="{key}-t {key}-d">',
        f'<title id="{key}-t">{escape(drawing.name)}</title>',
        f'<desc id="{key}-d">{escape(drawing.words)}</desc>',
    ]
    parts += [_shape(drawing, shape) for shape in drawing.shapes]
    parts.append("</svg>")
    return "\n".join(parts)


def _shape(drawing: Drawing, shape: Shape) -> str:
    points = [
        ((x - drawing.low[0]) * UNIT_PX, (drawing.high[1] - y) * UNIT_PX) for x, y in shape.points
    ]
    if shape.kind == "text":
        (x, y), size = points[0], shape.size_m * UNIT_PX
        return (
            f'<text class="{shape.role}" x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}" '
            f'text-anchor="{shape.anchor}">{escape(shape.text)}</text>'
        )
    title = f"<title>{escape(shape.title)}</title>" if shape.title else ""
    if shape.kind == "line":
        (x0, y0), (x1, y1) = points
        where = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
        return f'<line class="{shape.role}" {where}>{title}</line>'
    fill = "" if shape.rgb is None else f' fill="#{bytes(shape.rgb).hex()}"'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon class="{shape.role}"{fill} points="{path}">{title}</polygon>'
