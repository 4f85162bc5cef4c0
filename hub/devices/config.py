"""What each node is told to serve, made of the store file; the revision rises when it changes."""

from __future__ import annotations

from contracts.geometry import Bay, Footprint
from contracts.messages import ModelRef, NodeConfig
from contracts.store_file import Node, StoreFile

__all__ = ["node_config", "node_of"]


def node_config(
    store: StoreFile,
    node: Node,
    *,
    revision: int,
    models: tuple[ModelRef, ...] = (),
    gallery_sha256: str | None = None,
) -> NodeConfig:
    """The configuration of one node: its bays' sensors, and the floor's if it owns the floor."""
    bays = set(node.bays)
    return NodeConfig(
        revision=revision,
        store_id=store.store_id,
        node_id=node.node_id,
        cameras=tuple(
            camera
            for camera in store.cameras
            if (camera.bay_id in bays if camera.role == "shelf" else node.floor)
        ),
        walls=tuple(wall for wall in store.walls if wall.wall_id in node.walls),
        bays=tuple(bay for bay in store.bays if bay.bay_id in bays),
        plates=tuple(plate for plate in store.plates if plate.bay_id in bays),
        gates=store.gates if node.gates else (),
        floor=node.floor,
        floor_width_m=store.floor.width_m if node.floor else 0.0,
        floor_depth_m=store.floor.depth_m if node.floor else 0.0,
        solids=tuple(_footprint(bay) for bay in store.bays) if node.floor else (),
        models=models,
        gallery_sha256=gallery_sha256,
    )


def _footprint(bay: Bay) -> Footprint:
    return Footprint(
        origin_m=bay.origin_m,
        facing_deg=bay.facing_deg,
        width_m=bay.width_m,
        depth_m=bay.depth_m,
    )


def node_of(store: StoreFile, camera_id: str) -> str | None:
    """The node that a camera of the store is on; None if there is none."""
    for camera in store.cameras:
        if camera.camera_id == camera_id:
            for node in store.nodes:
                if camera.bay_id in node.bays if camera.role == "shelf" else node.floor:
                    return node.node_id
    for wall in store.walls:
        if any(camera.camera_id == camera_id for camera in wall.cameras):
            return next(node.node_id for node in store.nodes if wall.wall_id in node.walls)
    return None
