"""The check of a store as one HTML page: drawings, figures, findings; nothing is loaded."""

from __future__ import annotations

from html import escape

from store_sim.plan.check import StoreCheck
from store_sim.plan.coverage import FINE_PX_CM
from store_sim.plan.draw import FLOOR_SCALE, FRONT_SCALE, draw_bay, draw_floor
from store_sim.plan.findings import Finding
from store_sim.plan.svg import svg

__all__ = ["html_page"]

_CSS = """
:root { color-scheme: light dark; --paper:#faf9f6; --ink:#22262b; --soft:#62686f; --line:#d9d7d0;
 --card:#fff; --bad:#b3261e; --warn:#8a5a00; --good:#1d6b45;
 --room:#f1efe9; --bay:#474d55; --bay-ink:#fff; --front:#e9a13b;
 --floor-0:#e3a89c; --floor-1:#dcebe6; --floor-2:#acd6c9; --floor-3:#74b8a6;
 --front-0:#e3a89c; --front-1:#f3d9a4; --front-2:#dcebe6; --front-3:#acd6c9; --front-4:#74b8a6;
 --print:#1f6f8b; --in:#2f7fd1; --out:#8a4fb5; --board:#5b6169; --plate:#9aa0a6; }
@media (prefers-color-scheme: dark) { :root { --paper:#15181b; --ink:#e8e6e1; --soft:#a2a8ae;
 --line:#33383d; --card:#1c2024; --bad:#ff8a80; --warn:#f0b44c; --good:#6fd3a0;
 --room:#1f2428; --bay:#8d949c; --bay-ink:#111; --front:#f0b44c;
 --floor-0:#7c3b32; --floor-1:#24403b; --floor-2:#2f6357; --floor-3:#3f8b78;
 --front-0:#7c3b32; --front-1:#6d5424; --front-2:#24403b; --front-3:#2f6357; --front-4:#3f8b78;
 --print:#6fc3df; --in:#6fb1f0; --out:#c79be8; --board:#a2a8ae; --plate:#6d747b; } }
* { box-sizing: border-box; }
body { margin:0 auto; max-width:1180px; padding:28px 20px 60px; background:var(--paper);
 color:var(--ink); font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif; }
h1 { font-size:30px; margin:0; letter-spacing:-.01em; } h2 { font-size:20px; margin:38px 0 10px; }
p.sub { color:var(--soft); margin:4px 0 18px; }
.figures { display:flex; flex-wrap:wrap; gap:10px; margin:0; padding:0; list-style:none; }
.figures li { background:var(--card); border:1px solid var(--line); border-radius:10px;
 padding:8px 14px; min-width:96px; }
.figures b { display:block; font-size:21px; font-variant-numeric:tabular-nums; }
.figures span { color:var(--soft); font-size:13px; }
.bad b { color:var(--bad); } .warn b { color:var(--warn); } .good b { color:var(--good); }
figure { margin:0; background:var(--card); border:1px solid var(--line); border-radius:12px;
 padding:12px; } figcaption { color:var(--soft); font-size:14px; padding:6px 2px 0; }
svg { display:block; width:100%; height:auto; }
.plan svg { max-height:78vh; }
.bays { display:grid; grid-template-columns:repeat(auto-fill,minmax(230px,1fr)); gap:14px; }
.scale { display:flex; flex-wrap:wrap; gap:6px 16px; list-style:none; padding:0; margin:8px 2px 0;
 font-size:14px; color:var(--soft); }
.scale i { display:inline-block; width:14px; height:14px; border-radius:3px; margin-right:6px;
 vertical-align:-2px; border:1px solid var(--line); }
.wide { overflow-x:auto; }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums; font-size:15px; }
th,td { text-align:left; padding:5px 10px; border-bottom:1px solid var(--line); }
td.n,th.n { text-align:right; } caption { text-align:left; color:var(--soft); padding-bottom:6px; }
ol.findings { list-style:none; padding:0; margin:0; display:grid; gap:8px; }
ol.findings li { background:var(--card); border:1px solid var(--line); border-left-width:5px;
 border-radius:8px; padding:8px 12px; } li.error { border-left-color:var(--bad) !important; }
li.warning { border-left-color:var(--warn) !important; }
ol.findings em { font-style:normal; font-weight:600; } ol.findings small { color:var(--soft); }
.room { fill:var(--room); } .walls { fill:none; stroke:var(--ink); stroke-width:3; }
[class^=floor-],[class^=front-] { shape-rendering:crispEdges; }
.floor-0 { fill:var(--floor-0); } .floor-1 { fill:var(--floor-1); }
.floor-2 { fill:var(--floor-2); } .floor-3 { fill:var(--floor-3); }
.front-0 { fill:var(--front-0); } .front-1 { fill:var(--front-1); }
.front-2 { fill:var(--front-2); } .front-3 { fill:var(--front-3); }
.front-4 { fill:var(--front-4); }
.footprint { fill:none; stroke:var(--print); stroke-width:1.4; stroke-dasharray:7 5; opacity:.7; }
.bay { fill:var(--bay); } .front { stroke:var(--front); stroke-width:6; }
.plate-edge { stroke:var(--bay-ink); stroke-width:1; opacity:.45; }
.door { fill:var(--print); opacity:.12; }
.label { fill:var(--ink); font-weight:600; paint-order:stroke; stroke:var(--card);
 stroke-width:4; stroke-linejoin:round; }
.small { fill:var(--ink); paint-order:stroke; stroke:var(--card); stroke-width:3;
 stroke-linejoin:round; }
.figure { fill:var(--ink); font-weight:600; }
.zone-entry { fill:var(--in); opacity:.2; } .zone-exit { fill:var(--out); opacity:.2; }
.gate-entry { stroke:var(--in); stroke-width:8; } .gate-exit { stroke:var(--out); stroke-width:8; }
.camera-ceiling { fill:var(--print); } .camera-shelf { fill:var(--front); stroke:var(--ink); }
.ruler { stroke:var(--ink); stroke-width:4; }
.back { fill:var(--room); stroke:var(--board); stroke-width:2; } .board { fill:var(--board); }
.plate { fill:var(--plate); } .goods { stroke:rgba(0,0,0,.35); stroke-width:.7; }
.slot-edge { stroke:var(--front); stroke-width:2; }
"""


def html_page(check: StoreCheck) -> str:
    """The whole page; it needs nothing but itself and follows the reader's light or dark."""
    store = check.store
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(store.name)}: store check</title><style>{_CSS}</style></head><body><main>",
        f"<h1>{escape(store.name)}</h1>",
        f'<p class="sub">{escape(store.store_id)} · {store.floor.width_m:g} × '
        f"{store.floor.depth_m:g} m · store check</p>",
        _figures(check),
        "<h2>The floor from above</h2>",
        '<figure class="plan">',
        svg(draw_floor(check), key="plan"),
        _scale("floor", FLOOR_SCALE, "heads seen by"),
        "<figcaption>Dashed: what each ceiling camera sees at head height. Round: ceiling camera. "
        "Square: shelf camera. Orange edge: the front of a bay.</figcaption></figure>",
        "<h2>The shelves from the front</h2>",
        '<div class="bays">',
    ]
    for number, bay in enumerate(store.bays):
        drawing = draw_bay(check, bay)
        parts.append(
            f"<figure>{svg(drawing, key=f'bay{number}')}"
            f"<figcaption>{escape(bay.bay_id)}</figcaption></figure>"
        )
    parts += [
        "</div>",
        _scale("front", FRONT_SCALE, "shelf camera gives"),
        _findings(check),
        _table(check),
        _walls(check),
        "</main></body></html>\n",
    ]
    return "\n".join(parts)


def _figures(check: StoreCheck) -> str:
    counts = check.counts()
    least, median, fine = check.front_px_cm()
    rows = [
        ("bad" if check.errors else "good", str(len(check.errors)), "errors"),
        ("warn" if check.warnings else "good", str(len(check.warnings)), "warnings"),
        ("", f"{check.floor.share(1):.0%}", "of the floor seen"),
        ("", f"{check.floor.share(2):.0%}", "seen by two cameras"),
        ("", f"{median:.1f}", "px/cm on fronts, median"),
        ("", f"{least:.1f}", "px/cm at worst"),
        ("", f"{fine:.0%}", f"of fronts ≥ {FINE_PX_CM:g} px/cm"),
        *(("", str(counts[name]), name.replace("_", " ")) for name in counts),
    ]
    items = "".join(
        f'<li class="{kind}"><b>{escape(value)}</b><span>{escape(name)}</span></li>'
        for kind, value, name in rows
    )
    return f'<ul class="figures">{items}</ul>'


def _scale(kind: str, names: tuple[str, ...], title: str) -> str:
    items = "".join(
        f'<li><i style="background:var(--{kind}-{place})"></i>{escape(name)}</li>'
        for place, name in enumerate(names)
    )
    return f'<ul class="scale" aria-label="colours"><li>{title}</li>{items}</ul>'


def _findings(check: StoreCheck) -> str:
    if not check.findings:
        return "<h2>Findings</h2><p>Nothing to say against it.</p>"
    rows = "".join(_finding(each) for each in (*check.errors, *check.warnings))
    return f'<h2>Findings</h2><ol class="findings">{rows}</ol>'


def _finding(finding: Finding) -> str:
    return (
        f'<li class="{finding.level}"><em>{finding.level} · {escape(finding.where)}</em> '
        f"{escape(finding.message)}<br><small>{escape(finding.fix)}</small></li>"
    )


def _table(check: StoreCheck) -> str:
    rows = "".join(
        f"<tr><td>{escape(board.bay_id)}</td><td>{escape(board.board_id)}</td>"
        f'<td class="n">{board.z_m:.2f}</td><td class="n">{board.least:.1f}</td>'
        f'<td class="n">{board.median:.1f}</td>'
        f'<td class="n">{board.share(FINE_PX_CM):.0%}</td></tr>'
        for board in check.boards
    )
    return (
        '<h2>Boards in figures</h2><div class="wide"><table><caption>Pixels per centimetre along '
        "the shelf, on the front plane where goods stand, in the best shelf camera.</caption>"
        '<thead><tr><th>bay</th><th>board</th><th class="n">height, m</th><th class="n">worst</th>'
        f'<th class="n">median</th><th class="n">≥ {FINE_PX_CM:g} px/cm</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _walls(check: StoreCheck) -> str:
    """The pick-up walls: what their cameras resolve."""
    if not check.walls:
        return ""
    rows = "".join(
        f"<tr><td>{escape(sight.wall.wall_id)}</td><td>{escape(one.label.symbology)}</td>"
        f'<td class="n">{one.label.module_mm:g}</td><td class="n">{one.least_px:.2f}</td>'
        f'<td class="n">{one.median_px:.2f}</td></tr>'
        for sight in check.walls
        for one in sight.labels
    )
    return (
        '<h2>Pick-up walls</h2><div class="wide"><table><caption>Pixels a module of upright labels '
        "on the front plane, in the best camera.</caption><thead><tr><th>wall</th><th>label</th>"
        '<th class="n">module, mm</th><th class="n">worst</th><th class="n">median</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )
