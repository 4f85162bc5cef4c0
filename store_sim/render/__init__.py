"""Pictures of the simulated store: a small rasteriser, bodies, packaging, optics."""

from __future__ import annotations

from store_sim.render.looks import Light, Look, Optics
from store_sim.render.raster import Rendered, SceneRenderer, project_points

__all__ = ["Light", "Look", "Optics", "Rendered", "SceneRenderer", "project_points"]
