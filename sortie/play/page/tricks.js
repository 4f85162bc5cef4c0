// The buttons to try to cheat with, and why one of them cannot be used right now.

import { h, put } from "./draw.js";
import { bayName, spoiled } from "./floor.js";

const TRICKS = [
  { id: "take_two", arms: true, name: "Two at once", said: "One hidden behind the other." },
  { id: "hide", arms: true, name: "Under the jacket", said: "From the shelf out of sight." },
  { id: "swap_behind", hands: true, name: "Swap behind the back", said: "Hands change, unseen." },
  { id: "drop", hands: true, name: "Leave on the floor", said: "Not back, and not yours." },
  { id: "lean", name: "Lean on the shelf", said: "Kilos on all the plates." },
  { id: "cover", device: true, name: "Cover the camera", off: "Uncover the camera", said: "Dark: only grams are left." },
  { id: "unplug", device: true, name: "Unplug the plates", off: "Plug the plates in", said: "Only pixels are left." },
  { id: "kill", name: "Kill the broker", said: "Nodes keep it; nothing is lost." },
];

/** The buttons in `box`; `use(id)` hears which is pressed. */
export function showTricks(box, model, { use }) {
  const rows = TRICKS.map((trick) => ({ ...trick, ...state(trick, model) }));
  put(box, JSON.stringify(rows), () => rows.map((row) => h("button", {
    type: "button", id: `trick-${row.id}`, class: row.on ? "trick on" : "trick",
    "aria-pressed": row.toggles ? String(row.on) : null,
    "aria-disabled": row.why ? "true" : null,
    onclick: () => use(row.id, row.why),
  }, h("b", {}, row.on && row.off ? row.off : row.name), h("span", {}, row.why || row.said))));
}

function state(trick, { world, armed, broker, camera_id }) {
  if (trick.id === "kill") return { why: whyNotKill(broker), on: false };
  const why = whyNot(trick, world);
  const bay = world?.you.near_bay;
  const on = (trick.arms && armed?.act === trick.id)
    || (trick.id === "cover" && Boolean(camera_id) && spoiled(world, "covered", camera_id))
    || (trick.id === "unplug" && Boolean(bay) && spoiled(world, "unplugged", bay));
  return { why, on: !why && on, toggles: trick.arms || trick.device };
}

function whyNotKill(broker) {
  if (broker.may_kill) return "";
  return ["up", "whole"].includes(broker.phase) ? "A moment ago; wait a little." : "It is down right now.";
}

function whyNot(trick, world) {
  if (!world?.mine || world.you.stage !== "inside") return "Come in first.";
  if (!trick.device && !world.tricks.includes(trick.id)) return "This world does not know it.";
  if (trick.hands && !world.you.carried.length) return "Take something first.";
  if (!trick.hands && !world.you.near_bay) return "Walk up to a shelf first.";
  return "";
}

/** What is wrong with devices right now, in one sentence for the status line. */
export function troubleSaid(state) {
  const said = [];
  for (const one of state.world?.mishaps ?? []) {
    const where = one.kind === "covered" ? `${one.target} is covered` : `the plates of ${bayName(one.target)} are unplugged`;
    said.push(one.left_s < 900 ? `${where} for ${Math.ceil(one.left_s)} s` : where);
  }
  const { phase, away_s } = state.broker;
  if (phase === "asked") said.push("the broker is being killed");
  if (phase === "down") said.push(`the broker is down for ${away_s} s: the nodes keep what they see`);
  if (phase === "back") said.push(`the broker is back after ${away_s} s: the nodes send what they kept`);
  if (phase === "whole" && away_s !== null) {
    said.push(`the broker was away for ${away_s} s and is back: every message has arrived, none was lost`);
  }
  if (!said.length) return "";
  const text = said.join("; ");
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
