// Sixty seconds that play by themselves: a list of steps, and a runner that is told every state.

const READ_MS = 6500;
const STUCK_MS = 25_000;

/** Two different products near the gate and a third one to be clever with; by slot. Each round
 *  takes others, so that no shelf is emptied by the tour. */
export function choose(layout, round) {
  const entry = layout.gates.find((gate) => gate.kind === "entry").line_m[0];
  const far = (bay) => Math.hypot(bay.origin_m[0] - entry[0], bay.origin_m[1] - entry[1]);
  const bays = [...layout.bays].sort((a, b) => far(a) - far(b));
  const handy = (bay) => {
    const boards = new Map(bay.boards.map((board) => [board.board_id, board.z_m]));
    const height = (slot) => Math.abs((boards.get(slot.board_id) ?? 0) - 1.0);
    return layout.slots.filter((slot) => boards.has(slot.board_id)).sort((a, b) => height(a) - height(b));
  };
  const pick = (slots, place, ...taken) => {
    const turned = slots.map((_, k) => slots[(place + k) % slots.length]);
    return turned.find((slot) => !taken.some((one) => one.gtin === slot.gtin)) ?? turned[0];
  };
  const first = handy(bays[0]);
  const second = handy(bays[1] ?? bays[0]);
  const a = pick(first, 2 * round);
  const b = pick(first, 2 * round + 1, a);
  return { a, b, c: pick(second, round, a, b) };
}

/** The steps, in order. `begin` gives commands; `done` looks at a state. */
export function steps(layout, round) {
  const { a, b, c } = choose(layout, round);
  const name = (slot) => layout.products[slot.gtin].name;
  const rest = (state) => state.world.you.stage === "inside" && !state.world.you.busy;
  const carried = (state, gtin) => state.world.you.carried.filter((one) => one.gtin === gtin).length;
  return [
    {
      id: "enter",
      text: "The phone shows a code at the gate: €50 are reserved, nothing is charged, and nobody's face is looked at.",
      begin: () => [{ act: "enter" }],
      done: rest,
    },
    {
      id: "take",
      text: `A hand takes ${name(a)}: the camera sees the hand, a plate loses its grams, the bar says how sure the hub is.`,
      begin: () => [{ act: "take", slot_id: a.slot_id }],
      done: (state) => rest(state) && carried(state, a.gtin) > 0,
    },
    {
      id: "take-more",
      text: `And ${name(b)}: what is clear goes into the cart on the phone at once.`,
      begin: () => [{ act: "take", slot_id: b.slot_id }],
      done: (state) => rest(state) && carried(state, b.gtin) > 0,
    },
    {
      id: "put-back",
      text: `${name(b)} goes back to the shelf, and leaves the cart again.`,
      begin: () => [{ act: "put_back", gtin: b.gtin, slot_id: b.slot_id }],
      done: (state) => rest(state) && carried(state, b.gtin) === 0,
    },
    {
      id: "trick",
      text: `Now a trick: two of ${name(c)}, one behind the other, and the plates go ` +
        "silent as the hand closes: pixels alone must tell. What stays in doubt is free.",
      begin: () => [
        { act: "tamper", kind: "unplugged", target: c.bay_id, seconds: 3, when: "taken" },
        { act: "trick", trick: "take_two", slot_id: c.slot_id },
      ],
      done: (state) => rest(state) && carried(state, c.gtin) > 0,
    },
    {
      id: "exit",
      text: "Out of the door: there is no checkout. The exit is the checkout.",
      begin: () => [{ act: "exit" }],
      done: (state) => state.world.you.stage === "gone",
    },
    {
      id: "receipt",
      text: "One receipt. What the store was not sure of is free, and each line can be seen again.",
      begin: () => [],
      done: (state) => state.hub.stage === "final",
      replay: true,
      hold_ms: 12_000,
    },
  ];
}

/** Runs the steps. `send(command)` gives a command, `tell(text, index, count)` shows a caption,
 *  `replay()` plays a line of the receipt, `now()` is any clock in ms. */
export function makeTour({ send, tell, replay, now }) {
  let layout = null;
  let list = [];
  let at = -1;
  let begun_ms = 0;
  let done_ms = null;
  let running = false;
  let round = 0;

  const begin = async () => {
    begun_ms = now();
    done_ms = null;
    tell(list[at].text, at, list.length);
    for (const command of list[at].begin()) {
      try {
        await send(command);
      } catch {
        // A shelf that was bought empty, a gate that is busy: the tour goes on with what comes next.
        done_ms = now();
      }
    }
  };

  return {
    get running() {
      return running;
    },
    /** Begins at the gate, or with the exit if the avatar is inside already. */
    start(given, state) {
      layout = given;
      list = steps(layout, round);
      running = true;
      at = state.world.you.stage === "inside" ? list.findIndex((step) => step.id === "exit") : 0;
      begin();
    },
    stop() {
      running = false;
      at = -1;
    },
    /** One look; goes to the next step when this one is done and was read. */
    look(state) {
      if (!running || !state.world) return;
      const step = list[at];
      const passed_ms = now() - begun_ms;
      if (done_ms === null && (step.done(state) || passed_ms > STUCK_MS)) {
        done_ms = now();
        if (step.replay) replay();
      }
      const held = done_ms !== null && now() - done_ms >= (step.hold_ms ?? 0);
      if (!held || passed_ms < READ_MS) return;
      at = (at + 1) % list.length;
      if (at === 0) {
        round += 1;
        list = steps(layout, round);
      }
      // Whoever was turned away or never came in begins again.
      if (at > 0 && at < list.length - 1 && state.world.you.stage !== "inside") at = 0;
      begin();
    },
  };
}
