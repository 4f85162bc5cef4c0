"""Puts a node's core together: pipelines with their weights for each camera, joiners for each bay.

The one place where edge meets the model runners. A weight file that is not the one the hub's
configuration names is refused, so that a node never runs on weights nobody knows of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay, Camera
from contracts.messages import ModelRef, NodeConfig, ProductLikelihood, ProductScores
from contracts.wall import Wall
from edge.core import NodeCore
from edge.errors import NodeConfigError
from edge.perception import Perception
from edge.settings import NodeSettings
from edge.walls import WallDesk
from models.change import ChangeClassifier
from models.detector import Detector
from models.embedding import Embedder, Gallery
from models.manifest import load_manifest
from vision.ceiling import CeilingCamera
from vision.projection import Beam, Lamps
from vision.reaches import ReachBuilder
from vision.shelf import ShelfCamera
from vision.wall import WallCamera, WallMap

__all__ = ["MODELS", "CoreMaker", "model_refs"]

MODELS = ("shelf", "ceiling", "change", "embedding")
"""Names of the shipped weights a node uses."""
CEILING_CLASSES = ("head", "person", "hand")
SHELF_CLASSES = ("head", "arm", "hand", "held")
PRODUCTS_TOLD = 6


def model_refs() -> tuple[ModelRef, ...]:
    """The shipped weights with their digests."""
    return tuple(ModelRef(name=name, sha256=load_manifest(name).sha256) for name in MODELS)


class CoreMaker:
    """Builds cores: `CoreMaker(settings)(config, boot_id)`. ModelError, NodeConfigError.

    `gallery` is the file of enrolled products; without one, products are left to the hub's
    planogram and the scales. `eyes=False` builds no pipelines: observations come from elsewhere.
    """

    def __init__(
        self, settings: NodeSettings, *, gallery: Path | None = None, eyes: bool = True
    ) -> None:
        self._settings = settings
        self._gallery = gallery
        self._eyes = eyes

    def __call__(self, config: NodeConfig, boot_id: str) -> NodeCore:
        """The core of one boot."""
        self._check(config)
        bays = {bay.bay_id: bay for bay in config.bays}
        shelf: dict[str, ShelfCamera] = {}
        ceiling: dict[str, CeilingCamera] = {}
        if self._eyes:
            products = self._recogniser() if self._uses_shelf(config) else None
            for camera in config.cameras:
                if camera.role == "ceiling":
                    detector = Detector("ceiling", classes=CEILING_CLASSES)
                    ceiling[camera.camera_id] = CeilingCamera(camera, detector)
                elif self._uses_shelf(config):
                    shelf[camera.camera_id] = self._shelf(camera, bays, products)
        eyes = {
            camera.camera_id: WallCamera(camera, wall)
            for wall in config.walls
            for camera in wall.cameras
            if self._eyes
        }
        return NodeCore(
            config,
            boot_id=boot_id,
            perception=Perception(config, shelf=shelf, ceiling=ceiling, walls=eyes),
            reaches={bay.bay_id: ReachBuilder(bay, config.plates) for bay in config.bays},
            walls=[self._desk(wall, eyes, f"{config.node_id}:{boot_id}") for wall in config.walls],
            settings=self._settings,
        )

    def _desk(self, wall: Wall, eyes: Mapping[str, WallCamera], prefix: str) -> WallDesk:
        return WallDesk(
            wall,
            things=WallMap(wall, f"{prefix}:{wall.wall_id}"),
            eyes={
                camera.camera_id: eyes[camera.camera_id]
                for camera in wall.cameras
                if camera.camera_id in eyes
            },
            make_beam=lambda projector, state: Beam(projector, wall, remembered=state),
            strips={light.light_id: Lamps(light, wall) for light in wall.lights},
        )

    def _uses_shelf(self, config: NodeConfig) -> bool:
        return self._settings.sensors != "plates" and bool(config.bays)

    def _shelf(
        self,
        camera: Camera,
        bays: dict[str, Bay],
        products: Callable[[NDArray[np.uint8]], ProductScores] | None,
    ) -> ShelfCamera:
        if camera.bay_id not in bays:
            raise NodeConfigError(
                f"expected the bay of camera {camera.camera_id} among {sorted(bays)}, got "
                f"{camera.bay_id}; give the node the bay or take the camera away"
            )
        return ShelfCamera(
            camera,
            bays[camera.bay_id],
            detector=Detector("shelf", classes=SHELF_CLASSES),
            change=ChangeClassifier(),
            products=products,
        )

    def _recogniser(self) -> Callable[[NDArray[np.uint8]], ProductScores] | None:
        """A function from a crop to scores against the gallery."""
        if self._gallery is None:
            return None
        embedder = Embedder()
        gallery = Gallery.load(self._gallery, embedder=embedder)

        def recognise(crop: NDArray[np.uint8]) -> ProductScores:
            scores = gallery.scores(embedder.embed(crop), PRODUCTS_TOLD)
            return ProductScores(
                top=tuple(
                    ProductLikelihood(gtin=gtin, log_likelihood=value) for gtin, value in scores.top
                ),
                other=scores.other,
            )

        return recognise

    def _check(self, config: NodeConfig) -> None:
        """The hub may name the weights it expects; a node with others does not start."""
        for ref in config.models:
            if ref.name not in MODELS:
                continue
            own = load_manifest(ref.name).sha256
            if own != ref.sha256:
                raise NodeConfigError(
                    f"expected the weights {ref.name} with sha256 {ref.sha256}, this node has "
                    f"{own}; update the node or the hub's configuration"
                )
