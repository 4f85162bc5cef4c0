// Wires the page: one model, drawn whenever a state comes; keys, clicks, tricks and the tour.

import { makeReplay, showBelief } from "./belief.js";
import { h, put } from "./draw.js";
import { bayName, makeFloor, spoiled } from "./floor.js";
import { makeCommands, read, seatName, watch } from "./line.js";
import { makeShelf, showHands, verb } from "./shelf.js";
import { makeTour } from "./tour.js";
import { showTricks, troubleSaid } from "./tricks.js";

const KEYS = {
  ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0],
  w: [0, 1], s: [0, -1], a: [-1, 0], d: [1, 0],
};
const STEER_MS = 150;
const UNTOUCHED_MS = 5000;
const TOAST_MS = 6000;
const TILE_MS = 260;
const SPOIL_S = 25;
const STAGES = {
  none: "Nobody is playing. Come in, or wait for the tour.",
  outside: "At the gate: the phone shows its code.",
  leaving: "Walking out.",
  gone: "Out of the store. The receipt comes to the phone.",
  turned_away: "The gate did not let the avatar in. Try again.",
};

const $ = (id) => document.getElementById(id);
const seat = seatName();
const order = makeCommands(seat);
const held = new Set();
let layout = null;
let state = null;
let armed = null;
let touched_ms = performance.now();
let everTouched = false;
let saidNumber = 0;
let steering = false;

// ------------------------------------------------------------------ saying things

let toastTimer = 0;
function toast(text) {
  $("said").textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("said").textContent = ""; }, TOAST_MS);
}

/** A command of the person; what goes wrong is said. */
async function ask(command) {
  try {
    await order(command);
    return true;
  } catch (error) {
    toast(error.message);
    return false;
  }
}

// ------------------------------------------------------------------ what a person does

const floor = makeFloor($("plan"), {
  walk: (x_m, y_m) => ready() && ask({ act: "go", x_m, y_m }),
  shelf: (bay_id) => ready() && ask({ act: "shelf", bay_id }),
});
const shelf = makeShelf($("shelf"), { choose });
const replay = makeReplay($("replay"));

/** Whether the avatar can be led; says why not. */
function ready() {
  if (!state?.world) return false;
  if (state.world.mine && state.world.you.stage === "inside") return true;
  if (state.world.mine && state.world.you.stage in STAGES) toast(STAGES[state.world.you.stage]);
  else toast("Come in first, or take over.");
  return false;
}

function choose(slot_id) {
  const doing = armed;
  arm(null);
  if (doing?.act === "put") ask({ act: "put_back", gtin: doing.gtin, slot_id });
  else if (doing) ask({ act: "trick", trick: doing.act, slot_id });
  else ask({ act: "take", slot_id });
}

function arm(next) {
  armed = next;
  draw();
}

async function useTrick(id, why) {
  if (why) {
    toast(why);
    return;
  }
  const { world } = state;
  if (["take_two", "hide"].includes(id)) arm(armed?.act === id ? null : { act: id });
  else if (id === "cover") await spoil("covered", cameraOf(world.you.near_bay));
  else if (id === "unplug") await spoil("unplugged", world.you.near_bay);
  else if (id === "kill") await killBroker();
  else await ask({ act: "trick", trick: id, slot_id: slotIn(world), gtin: world.you.carried[0]?.gtin ?? null });
}

async function spoil(kind, target) {
  if (spoiled(state.world, kind, target)) await ask({ act: "mend" });
  else await ask({ act: "tamper", kind, target, seconds: SPOIL_S });
}

async function killBroker() {
  try {
    const answer = await fetch("api/broker/kill", { method: "POST" });
    if (!answer.ok) toast((await answer.json()).detail ?? "The broker could not be killed.");
  } catch {
    toast("The page's server cannot be reached.");
  }
}

/** A slot of the shelf before the avatar on which something stands. */
function slotIn(world) {
  return Object.keys(world.shelf).find((slot_id) => world.shelf[slot_id].some(([, count]) => count > 0)) ?? null;
}

function cameraOf(bay_id) {
  return layout.cameras.find((camera) => camera.bay_id === bay_id)?.camera_id ?? state.world.camera_id;
}

// ------------------------------------------------------------------ keys

function steer() {
  const sum = [0, 0];
  for (const key of held) {
    sum[0] += KEYS[key][0];
    sum[1] += KEYS[key][1];
  }
  return { act: "steer", dx: Math.sign(sum[0]), dy: Math.sign(sum[1]) };
}

/** Tells where the keys lead, again and again while one is held, and once when all are let go. */
async function steerOn() {
  if (steering) return;
  steering = true;
  while (held.size) {
    const asked = performance.now();
    if (!await ask(steer())) held.clear();
    await new Promise((go) => { setTimeout(go, Math.max(0, STEER_MS - (performance.now() - asked))); });
  }
  steering = false;
  if (state?.world?.mine && state.world.you.stage === "inside") ask({ act: "steer", dx: 0, dy: 0 });
}

function keyOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return key in KEYS ? key : null;
}

addEventListener("keydown", (event) => {
  touch();
  if (event.key === "Escape") arm(null);
  const key = keyOf(event);
  if (!key || !state?.world?.mine || state.world.you.stage !== "inside") return;
  event.preventDefault();
  held.add(key);
  steerOn();
}, true);
addEventListener("keyup", (event) => {
  const key = keyOf(event);
  if (key) held.delete(key);
}, true);
addEventListener("blur", () => {
  held.clear();
  if (document.activeElement === $("phone")) touch();
});
addEventListener("pointerdown", touch, true);

// ------------------------------------------------------------------ the tour

const tour = makeTour({
  send: (command) => order(command, { tour: true }),
  tell: (text, at, count) => {
    $("caption").hidden = false;
    $("caption-text").textContent = text;
    put($("dots"), `${at}/${count}`, () => Array.from({ length: count }, (_, k) =>
      h("li", { class: k === at ? "on" : k < at ? "past" : null })));
  },
  replay: () => replay.first(),
  now: () => performance.now(),
});

/** Somebody is here: the tour ends at once, and the avatar is theirs. */
function touch() {
  touched_ms = performance.now();
  everTouched = true;
  if (!tour.running) return;
  tour.stop();
  $("caption").hidden = true;
  if (["outside", "inside"].includes(state?.world?.you.stage)) {
    ask({ act: "take_over" });
    toast("The avatar is yours. Arrow keys or clicks walk, a click on a product takes it.");
  }
}

function startTour() {
  if (!layout || !state?.world || tour.running) return;
  arm(null);
  tour.start(layout, state);
}

/** The tour begins by itself while nobody has touched anything and nobody is in the store. */
function mayTour() {
  const { world } = state;
  const nobody = ["none", "gone", "turned_away"].includes(world.you.stage);
  const leftOver = world.mine && world.you.tour && world.you.stage === "inside";
  return !everTouched && performance.now() - touched_ms > UNTOUCHED_MS && (nobody || leftOver);
}

$("tour").addEventListener("click", (event) => {
  event.stopPropagation();
  startTour();
});

// ------------------------------------------------------------------ drawing

function show(next) {
  state = next;
  if (!layout && state.world) loadLayout();
  if (layout && state.world && !tour.running && mayTour()) startTour();
  draw();
  // After drawing: the last step plays a line of the receipt that is on the page.
  tour.look(state);
}

function draw() {
  if (!state) return;
  const { world } = state;
  banner(world ? "" : `The simulated store is not there yet: ${state.fault || "asking it"}.`);
  $("tour").disabled = !world || tour.running || !["none", "gone", "turned_away"].includes(world.you.stage);
  showBelief($("belief"), state);
  showTrouble();
  if (!world || !layout) return;
  if (armed && (!world.mine || world.you.stage !== "inside")) armed = null;
  floor.show(world);
  shelf.show(world, layout, armed);
  $("shelf-title").textContent = world.you.near_bay
    ? `The shelf before you: ${bayName(world.you.near_bay)}` : "The shelf before you";
  showHands($("hands"), world, layout, {
    putBack: (gtin) => ask({ act: "put_back", gtin }),
    elsewhere: (gtin) => arm({ act: "put", gtin }),
  });
  showArmed();
  showTricks($("tricks"), { world, armed, broker: state.broker, camera_id: cameraOf(world.you.near_bay) },
    { use: useTrick });
  showDoors(world);
  showPhone(world);
  replay.show(state, layout);
  if (world.mine && world.you.said_number !== saidNumber) {
    saidNumber = world.you.said_number;
    if (saidNumber) toast(world.you.said);
  }
}

function showTrouble() {
  const said = troubleSaid(state);
  $("trouble").hidden = !said;
  if ($("trouble").textContent !== said) $("trouble").textContent = said;
}

function showArmed() {
  const box = $("armed");
  box.hidden = !armed;
  put(box, JSON.stringify(armed), () => armed
    ? [`${verb(armed, layout)} …: now click a place on the shelf. `,
      h("button", { type: "button", class: "small quiet", id: "disarm", onclick: () => arm(null) }, "Never mind")]
    : []);
}

function showDoors(world) {
  const { you, mine } = world;
  const here = ["outside", "inside", "leaving"].includes(you.stage);
  const free = !here;
  let said = STAGES[you.stage] ?? `You are ${you.doing}.`;
  if (here && !mine) said = you.tour ? "The tour in another window has the avatar." : "Another window has the avatar. You are watching.";
  if (tour.running) said = STAGES[you.stage] ?? `The avatar is ${you.doing}.`;
  if ($("doing").textContent !== said) $("doing").textContent = said;
  const takable = here && !mine && (you.tour || you.left_alone);
  put($("doors"), JSON.stringify([here, mine, free, takable, you.stage, you.near_bay, tour.running]), () => [
    free ? h("button", { type: "button", id: "come-in", onclick: comeIn },
      you.stage === "none" ? "Come in" : "Come in again") : null,
    takable ? h("button", { type: "button", id: "take-it", onclick: () => ask({ act: "take_over" }) }, "Take over") : null,
    mine && you.stage === "inside"
      ? [h("button", { type: "button", id: "walk-out", onclick: () => ask({ act: "exit" }) }, "Walk out"),
        h("div", { class: "goto", role: "group", "aria-label": "Walk to a shelf" }, layout.bays.map((bay) =>
          h("button", {
            type: "button", class: "small quiet", id: `goto-${bay.bay_id}`, "aria-label": `Walk to ${bayName(bay.bay_id)}`,
            "aria-pressed": String(bay.bay_id === you.near_bay), onclick: () => ask({ act: "shelf", bay_id: bay.bay_id }),
          }, bayName(bay.bay_id))))]
      : null,
  ].flat());
}

function comeIn() {
  saidNumber = 0;
  ask({ act: "enter" });
}

function showPhone(world) {
  const frame = $("phone");
  const token = world.you.phone?.token ?? "";
  frame.hidden = !token;
  $("no-phone").hidden = Boolean(token);
  if (frame.dataset.token === token) return;
  frame.dataset.token = token;
  if (token) frame.src = `/phone/#${encodeURIComponent(token)}`;
}

function banner(text) {
  $("banner").hidden = !text;
  if ($("banner").textContent !== text) $("banner").textContent = text;
}

async function loadLayout() {
  try {
    const given = await read("api/layout");
    if (layout) return;
    layout = given;
    floor.setLayout(layout);
    $("home").href = layout.pages_url;
    $("start-page").href = layout.pages_url;
    draw();
  } catch {
    // Asked again with the next state.
  }
}

// ------------------------------------------------------------------ the camera's picture

let tileNumber = 0;
function turnTile() {
  const camera_id = state?.world?.camera_id;
  if (!camera_id || document.hidden) {
    setTimeout(turnTile, TILE_MS);
    return;
  }
  const next = new Image();
  const again = () => setTimeout(turnTile, TILE_MS);
  next.onload = () => {
    $("tile").src = next.src;
    const covered = spoiled(state.world, "covered", camera_id) ? " · covered by you" : "";
    $("tile-caption").textContent = `${camera_id}${covered}`;
    again();
  };
  next.onerror = again;
  tileNumber += 1;
  next.src = `tiles/${encodeURIComponent(camera_id)}.jpg?n=${tileNumber}`;
}

watch(seat, {
  show,
  lost: () => banner("No connection to the page's server; trying again…"),
});
turnTile();
