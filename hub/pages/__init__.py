"""Pages: the phone's, served by the hub; staff and start page in a process of their own.

`mount` is what the hub calls; it needs nothing but Starlette. NiceGUI is imported only by
`hub.pages.main`'s process, and that process talks to nothing but the hub's HTTP API.
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import FileResponse, RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

__all__ = [
    "ASSET_FILES",
    "EXIT_FILES",
    "KIOSK_FILES",
    "MIRROR_FILES",
    "PHONE_FILES",
    "POLICY",
    "RECEIPT_FILES",
    "PlainFiles",
    "mount",
    "page_file",
]

PHONE_FILES = Path(__file__).parent / "phone"
ASSET_FILES = Path(__file__).parent / "assets"
EXIT_FILES = Path(__file__).parent / "exit"
KIOSK_FILES = Path(__file__).parent / "kiosk"
RECEIPT_FILES = Path(__file__).parent / "receipt"
MIRROR_FILES = Path(__file__).parent / "mirror"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)


class PlainFiles(StaticFiles):
    """Files of a page that needs nothing from elsewhere; browsers ask whether they changed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one file under the page's content security policy."""

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                    (b"cache-control", b"no-cache"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        await super().__call__(scope, receive, hardened)


def page_file(path: Path) -> FileResponse:
    """A page that is the same at every address; what it shows it asks for by itself."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return FileResponse(path, headers=headers)


def mount(app: Starlette) -> None:
    """Adds the phone's pages to the hub's application, at /phone, the kiosk of each wall and the
    page of each van's route, and the files of receipts and displays; / leads to the phone."""

    async def to_phone(_request: object) -> RedirectResponse:
        return RedirectResponse("/phone/")

    async def kiosk(_request: object) -> FileResponse:
        return page_file(KIOSK_FILES / "index.html")

    async def van(_request: object) -> FileResponse:
        return page_file(KIOSK_FILES / "van.html")

    app.router.add_route("/kiosk/{wall_id}", kiosk, include_in_schema=False)
    app.router.add_route("/van/{route_id}", van, include_in_schema=False)
    app.mount("/kiosk-files", PlainFiles(directory=KIOSK_FILES), name="kiosk-files")
    app.router.add_route("/", to_phone, include_in_schema=False)
    app.mount("/receipt-files", PlainFiles(directory=RECEIPT_FILES), name="receipt-files")
    app.mount("/exit-files", PlainFiles(directory=EXIT_FILES), name="exit-files")
    app.mount("/phone", PlainFiles(directory=PHONE_FILES, html=True), name="phone")
