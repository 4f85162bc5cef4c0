// When a wall does not show what it is asked to: at once for all of it, after moments for one person.

/** What is hidden by a hand or an arm is shown again soon: nobody is told of it before. */
const PATIENCE_MS = 3000;
const SHOWN = ["showing", "taken"];

/** Whether nothing shines at a wall, whatever is asked for: no light, no sight, or no node. */
export const isDark = (wall) => wall.light !== "on" || wall.blind || !!wall.node_dead || wall.node_heard === false;

/** Remembers since when nothing is lit of what somebody is to take; for who is away light waits. */
export function makeUnlit(now_ms = () => performance.now()) {
  const since = new Map();
  return (sessions) => {
    const unlit = sessions.filter((one) =>
      SHOWN.includes(one.state) && !one.away && one.taken < one.parcels && one.lit === 0);
    const names = new Set(unlit.map((one) => one.session_id));
    for (const name of [...since.keys()]) if (!names.has(name)) since.delete(name);
    for (const name of names) if (!since.has(name)) since.set(name, now_ms());
    return new Set([...since].filter(([, at_ms]) => now_ms() - at_ms >= PATIENCE_MS).map(([name]) => name));
  };
}
