"""`python -m edge.main`: one node, with its settings from SORTIE_NODE_*.

Ends with 0 on SIGTERM or SIGINT, with 2 on a wrong setting, with 1 where the node cannot do its
work; the reason stands in one line on stderr.
"""

from __future__ import annotations

import os
import signal
import sys

import structlog

from contracts.messages import NodeConfig
from edge.compose import CoreMaker
from edge.core import NodeCore
from edge.errors import EdgeError, NodeConfigError, NodeSettingsError
from edge.process import NodeProcess
from edge.process_settings import NodeProcessSettings, load_settings
from hardware.errors import HardwareError
from models.errors import ModelError
from models.manifest import file_sha256

__all__ = ["main"]

LIBRARY_THREADS = 1


def _maker(settings: NodeProcessSettings) -> CoreMaker:
    return CoreMaker(settings.core, gallery=settings.gallery)


def _check_gallery(settings: NodeProcessSettings, config: NodeConfig) -> None:
    """The hub may name the gallery it expects; a node with another does not start."""
    if config.gallery_sha256 is None or settings.gallery is None:
        return
    try:
        own = file_sha256(settings.gallery)
    except OSError as error:
        raise NodeConfigError(
            f"gallery {settings.gallery} cannot be read ({error.strerror}); enrol the products "
            "again or correct SORTIE_NODE_GALLERY"
        ) from error
    if own != config.gallery_sha256:
        raise NodeConfigError(
            f"expected a gallery with sha256 {config.gallery_sha256}, {settings.gallery} has "
            f"{own}; enrol the products again or update the hub's configuration"
        )


def _limit_threads() -> None:
    """One thread a camera is the plan; OpenCV would take all cores for one frame."""
    import cv2

    cv2.setNumThreads(LIBRARY_THREADS)


def main() -> int:
    """Runs a node until it is told to stop; the exit status."""
    try:
        settings = load_settings()
    except NodeSettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    log = structlog.get_logger("node").bind(node=settings.node_id, pid=os.getpid())
    _limit_threads()
    maker = _maker(settings)

    def make_core(config: NodeConfig, boot_id: str) -> NodeCore:
        _check_gallery(settings, config)
        return maker(config, boot_id)

    process = NodeProcess(settings, make_core, say=log.info)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.stop())
    try:
        process.run()
    except (EdgeError, HardwareError, ModelError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
