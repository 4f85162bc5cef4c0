"""How the report looks: one style sheet, light and dark by the reader's own setting.

The colours are those of the store's pages; what a colour says is always said by a word or a
shape as well.
"""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root {
  --ground: #eef1ee; --card: #fff; --ink: #14201b; --soft: #55635c; --line: #dbe2dd;
  --accent: #0b6e4f; --tint: #e2f2ea; --sunk: #f5f7f5; --amber: #8a4b00; --amber-tint: #fdf0d9;
  --red: #a3232b; --red-tint: #fbe5e5; --both: #2563eb; --camera: #c2410c; --plates: #0d8f6f;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0c100e; --card: #161c19; --ink: #eaf1ed; --soft: #9fb0a7; --line: #27312c;
    --accent: #56d5a3; --tint: #14332a; --sunk: #111614; --amber: #ffc46b; --amber-tint: #35270f;
    --red: #ff9c9c; --red-tint: #401c1e; --both: #7da7ff; --camera: #ff9a6b; --plates: #4fd1ac;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans",
    sans-serif;
}
main { max-width: 72rem; margin: 0 auto; padding: 1.2rem 1rem 4rem; }
h1, h2, h3, h4, p, ul, figure { margin: 0; padding: 0; }
ul { list-style: none; }
h1 { font-size: 1.7rem; line-height: 1.2; letter-spacing: -.02em; }
h2 { font-size: 1.2rem; letter-spacing: -.01em; margin: 2.2rem 0 .7rem; }
h3 { font-size: 1.05rem; line-height: 1.35; }
h4 { font-size: .82rem; letter-spacing: .02em; color: var(--soft); font-weight: 650; }
a { color: var(--accent); }
.soft { color: var(--soft); }
.small { font-size: .87rem; }
.lead { margin-top: .35rem; color: var(--soft); max-width: 46rem; }
.num { font-variant-numeric: tabular-nums; }
.pane {
  background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: 1rem;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .8rem;
  margin-top: 1.2rem; }
.tile { border-top: 4px solid var(--set); }
.tile .big { font-size: 2.5rem; font-weight: 750; letter-spacing: -.03em; line-height: 1.1; }
.tile .big small { font-size: .9rem; font-weight: 500; letter-spacing: 0; color: var(--soft); }
.tile dl { display: grid; grid-template-columns: 1fr auto; gap: .1rem .8rem; margin: .6rem 0 0; }
.tile dt { color: var(--soft); } .tile dd { margin: 0; text-align: right; }
.s-both { --set: var(--both); } .s-camera { --set: var(--camera); }
.s-plates { --set: var(--plates); }
.set { display: inline-flex; align-items: center; gap: .4rem; font-weight: 650;
  white-space: nowrap; }
.set svg { width: .85em; height: .85em; fill: var(--set); flex: none; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; color: var(--soft); font-size: .87rem;
  margin-bottom: .6rem; align-items: center; }
.legend i { display: inline-block; border-left: 2px dashed var(--ink); height: 1em;
  vertical-align: -.15em; margin-right: .4em; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .5rem .55rem; text-align: right; border-top: 1px solid var(--line);
  white-space: nowrap; vertical-align: middle; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; font-size: .82rem; padding-top: 0; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
tbody th { font-weight: 650; }
tbody th span { display: block; font-weight: 400; color: var(--soft); font-size: .85rem; }
tr.total > * { border-top: 2px solid var(--line); }
.score { display: inline-block; min-width: 4.4rem; padding: .12rem .5rem; border-radius: .6rem;
  font-variant-numeric: tabular-nums; }
.score.good { background: var(--tint); color: var(--accent); }
.score.fair { background: var(--amber-tint); color: var(--amber); }
.score.poor { background: var(--red-tint); color: var(--red); }
.scores td.wide { min-width: 13rem; width: 16rem; }
.scores th:first-child { min-width: 11rem; }
.scores td small { display: block; color: var(--soft); font-size: .78rem; line-height: 1.4; }
.strip { width: 100%; display: block; }
svg text { fill: var(--soft); font-size: 8.5px; text-anchor: middle; }
svg .grid { stroke: var(--line); stroke-width: 1; }
.strip .winner { stroke: var(--ink); stroke-width: 1.6; stroke-dasharray: 3 2.4; }
.strip .whisker { stroke: var(--set); stroke-width: 2; opacity: .55; }
.strip g { fill: var(--set); }
.curves { width: 100%; display: block; }
.curves text { font-size: 10.5px; } .curves .unit { text-anchor: end; }
.curves .moment { stroke: var(--ink); stroke-width: 1.4; stroke-dasharray: 3 3; }
.plate { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.p0 { stroke: var(--both); color: var(--both); }
.p1 { stroke: var(--camera); color: var(--camera); }
.p2 { stroke: var(--plates); color: var(--plates); } .p3 { stroke: #a21caf; color: #a21caf; }
.p4 { stroke: var(--soft); color: var(--soft); }
.key { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .82rem; color: var(--soft); }
.key i { display: inline-block; width: 1.1em; border-top: 3px solid currentColor;
  vertical-align: .25em; margin-right: .35em; }
.failure { margin-top: .9rem; padding: 0; overflow: hidden; }
.failure > summary { list-style: none; cursor: pointer; padding: .85rem 1rem; display: flex;
  flex-wrap: wrap; gap: .4rem .6rem; align-items: center; }
.failure > summary::-webkit-details-marker { display: none; }
.failure > summary h3 { flex: 1 1 12rem; }
.failure > summary h3::before { content: "▸"; color: var(--soft); margin-right: .45rem;
  display: inline-block; transition: transform .15s; }
.failure[open] > summary h3::before { transform: rotate(90deg); }
.failure > summary h3 small { font-weight: 500; color: var(--soft); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: -3px; border-radius: 1rem; }
.verdict { display: inline-flex; gap: .45rem; align-items: center; padding: .12rem .6rem;
  border-radius: 2rem; font-size: .82rem; background: var(--sunk); border: 1px solid var(--line); }
.verdict.wrong { background: var(--red-tint); border-color: transparent; color: var(--red); }
.body { padding: 0 1rem 1rem; border-top: 1px solid var(--line); }
.body > table { margin: .2rem 0 .4rem; font-size: .92rem; }
.body > table td { white-space: normal; text-align: left; }
.body > table td.num { text-align: right; white-space: nowrap; }
.moment-block { border-top: 1px solid var(--line); padding-top: 1rem; margin-top: .9rem; }
.truth { margin: .15rem 0 .8rem; max-width: 60rem; }
.frames { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .5rem; }
.frames figure { position: relative; }
.frames .shot { position: relative; overflow: hidden; border-radius: .6rem;
  background: var(--sunk); }
.frames img { display: block; width: 100%; height: auto; }
.mark { position: absolute; width: 2.1rem; height: 2.1rem; margin: -1.05rem 0 0 -1.05rem;
  border: 2.5px solid #fff; border-radius: 50%; box-shadow: 0 0 0 2px #d6404a, 0 0 0 3.5px #fff8; }
figcaption { font-size: .8rem; color: var(--soft); padding: .2rem .1rem .1rem; }
.chart { margin-top: .8rem; max-width: 44rem; }
.sets { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: .8rem;
  margin-top: .9rem; }
.panel { background: var(--sunk); border: 1px solid var(--line); border-left: 4px solid var(--set);
  border-radius: .8rem; padding: .75rem .85rem; display: grid; gap: .55rem; align-content: start; }
.panel .head { display: flex; flex-wrap: wrap; gap: .3rem .7rem; align-items: baseline; }
.kind { font-size: .8rem; font-weight: 650; color: var(--red); background: var(--red-tint);
  padding: .05rem .5rem; border-radius: .5rem; }
.said { font-size: .89rem; display: grid; gap: .2rem; }
.said li { padding-left: .9rem; position: relative; }
.said li::before { content: "·"; position: absolute; left: .25rem; font-weight: 700; }
.bars { display: grid; gap: .3rem; font-size: .89rem; }
.bar { display: grid; grid-template-columns: 1fr auto; gap: 0 .6rem; }
.bar b { font-variant-numeric: tabular-nums; font-weight: 600; }
.bar i { grid-column: 1 / -1; height: .42rem; border-radius: .3rem; background: var(--line);
  overflow: hidden; }
.bar i::before { content: ""; display: block; height: 100%; width: var(--share);
  background: var(--set); border-radius: .3rem; }
.reach + .reach { border-top: 1px dashed var(--line); padding-top: .55rem; }
.reach { display: grid; gap: .45rem; }
.note { background: var(--amber-tint); color: var(--amber); border-radius: .7rem;
  padding: .55rem .8rem; margin-top: .8rem; font-size: .92rem; }
.bad { background: var(--red-tint); color: var(--red); }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
.facts dt { color: var(--soft); } .facts dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 46rem) {
  main { padding: 1rem .7rem 3rem; }
  h1 { font-size: 1.4rem; }
  .scores thead { display: none; }
  .scores tr { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .45rem .6rem;
    padding: .8rem 0; border-top: 1px solid var(--line); }
  .scores tr.total { border-top: 2px solid var(--line); }
  .scores th, .scores td { border: 0; padding: 0; text-align: left; }
  .scores th, .scores td.wide { grid-column: 1 / -1; width: auto; min-width: 0; }
  .scores td[data-name]::before { content: attr(data-name); display: block; font-size: .75rem;
    color: var(--soft); }
  .scores td { white-space: normal; }
  .scores td:empty { display: none; }
  .body > table td.num { white-space: normal; }
  .frames { grid-template-columns: repeat(3, 72vw); overflow-x: auto; scroll-snap-type: x mandatory;
    margin: 0 -1rem; padding: 0 1rem .3rem; }
  .frames figure { scroll-snap-align: center; }
  .sets { grid-template-columns: 1fr; }
  .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: .4rem; }
}
@media (prefers-reduced-motion: reduce) { .failure > summary h3::before { transition: none; } }
"""
