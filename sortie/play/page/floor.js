// The store from above: bays, gates, cameras, everybody in it. A click walks there, or before a bay.

import { s } from "./draw.js";

const CM = 100;

/** The floor plan in `box`; `walk(x_m, y_m)` and `shelf(bay_id)` hear clicks. */
export function makeFloor(box, { walk, shelf }) {
  let layout = null;
  let people = null;
  const dots = new Map();

  const toWorld = (event) => {
    const area = box.querySelector("svg").getBoundingClientRect();
    return [
      (event.clientX - area.left) / area.width * layout.floor.width_m,
      (1 - (event.clientY - area.top) / area.height) * layout.floor.depth_m,
    ];
  };

  box.addEventListener("click", (event) => {
    if (!layout) return;
    const bay = event.target.closest?.("[data-bay]");
    if (bay) shelf(bay.dataset.bay);
    else walk(...toWorld(event));
  });

  return {
    /** Draws what does not move. */
    setLayout(given) {
      layout = given;
      const { width_m, depth_m } = given.floor;
      const drawing = s("svg", { viewBox: `0 0 ${width_m * CM} ${depth_m * CM}`, "aria-hidden": "true" },
        s("rect", { class: "floor", width: width_m * CM, height: depth_m * CM, rx: 8 }),
        given.gates.map((gate) => drawGate(gate, depth_m)),
        given.bays.map((bay) => drawBay(bay, depth_m)),
        given.cameras.map((camera) => drawCamera(camera, depth_m)));
      people = s("g");
      drawing.append(people);
      box.replaceChildren(drawing);
      dots.clear();
    },

    /** Shows where everybody is, which bay is near, and which camera and bay have trouble. */
    show(world) {
      if (!layout) return;
      for (const bay of box.querySelectorAll("[data-bay]")) {
        bay.classList.toggle("near", bay.dataset.bay === world.you.near_bay);
        bay.classList.toggle("spoiled", spoiled(world, "unplugged", bay.dataset.bay));
      }
      for (const camera of box.querySelectorAll("[data-camera]")) {
        camera.classList.toggle("watching", camera.dataset.camera === world.camera_id);
        camera.classList.toggle("spoiled", spoiled(world, "covered", camera.dataset.camera));
      }
      const here = new Set();
      for (const person of world.people) {
        here.add(person.id);
        let dot = dots.get(person.id);
        if (!dot) {
          dot = drawPerson(person.you);
          dots.set(person.id, dot);
          people.append(dot);
        }
        dot.classList.toggle("you", person.you);
        const x = person.x_m * CM;
        const y = (layout.floor.depth_m - person.y_m) * CM;
        dot.style.transform = `translate(${x}px, ${y}px)`;
        const turned = -person.heading_rad * 180 / Math.PI;
        dot.querySelector(".body").style.transform = `rotate(${turned}deg)`;
        if (person.you) people.append(dot);
      }
      for (const [id, dot] of dots) {
        if (!here.has(id)) {
          dot.remove();
          dots.delete(id);
        }
      }
    },
  };
}

/** Whether a device has trouble of a kind now. */
export function spoiled(world, kind, target) {
  return world.mishaps.some((one) => one.kind === kind && one.target === target);
}

/** How a bay is called. */
export const bayName = (bay_id) => bay_id.replaceAll("-", " ");

function drawPerson(you) {
  return s("g", { class: "person" },
    you ? s("circle", { class: "ring", r: 34 }) : null,
    s("g", { class: "body" },
      s("ellipse", { class: "shoulders", rx: 13, ry: 24 }),
      s("circle", { class: "head", r: 12 }),
      s("path", { class: "nose", d: "M10 -6 L19 0 L10 6 Z" })));
}

function drawBay(bay, depth) {
  const a = bay.facing_deg * Math.PI / 180;
  const [ox, oy] = bay.origin_m;
  const corner = (u, v) => [
    (ox - u * Math.sin(a) - v * Math.cos(a)) * CM,
    (depth - (oy + u * Math.cos(a) - v * Math.sin(a))) * CM,
  ];
  const corners = [corner(0, 0), corner(bay.width_m, 0), corner(bay.width_m, bay.depth_m), corner(0, bay.depth_m)];
  const middle = [0, 1].map((k) => corners.reduce((sum, one) => sum + one[k], 0) / 4);
  const front = [corner(0.03, 0), corner(bay.width_m - 0.03, 0)];
  const label = s("text", { x: middle[0], y: middle[1] + 6 });
  label.textContent = bayName(bay.bay_id);
  return s("g", { class: "bay", "data-bay": bay.bay_id },
    s("polygon", { points: corners.map((one) => one.join(",")).join(" ") }),
    s("line", { class: "front", x1: front[0][0], y1: front[0][1], x2: front[1][0], y2: front[1][1] }),
    label);
}

function drawGate(gate, depth) {
  const points = gate.zone_m.map(([x, y]) => `${x * CM},${(depth - y) * CM}`).join(" ");
  const xs = gate.zone_m.map(([x]) => x * CM);
  const ys = gate.zone_m.map(([, y]) => (depth - y) * CM);
  const mean = (values) => (Math.min(...values) + Math.max(...values)) / 2;
  const label = s("text", { x: mean(xs), y: mean(ys) + 6 });
  label.textContent = gate.kind === "entry" ? "in" : "out";
  return s("g", { class: `gate ${gate.kind}` }, s("polygon", { points }), label);
}

function drawCamera(camera, depth) {
  const [x, y] = camera.position_m;
  return s("g", { class: "camera", "data-camera": camera.camera_id },
    s("circle", { cx: x * CM, cy: (depth - y) * CM, r: 8 }),
    s("circle", { class: "lens", cx: x * CM, cy: (depth - y) * CM, r: 3 }));
}
