// The line to the page's own server: what there is to see, a few times a second, and commands.

const POLL_MS = 180;
const RETRY_MS = 1000;
const KEY = "sortie.play.seat";

/** This window's name for the store; it stays while the window is open, over reloads too. */
export function seatName() {
  try {
    const known = sessionStorage.getItem(KEY);
    if (known) return known;
    const made = crypto.randomUUID();
    sessionStorage.setItem(KEY, made);
    return made;
  } catch {
    return crypto.randomUUID();
  }
}

/** JSON of an answer; throws an Error with the server's words if it is not a good one. */
async function answered(answer) {
  let document;
  try {
    document = await answer.json();
  } catch {
    throw new Error("The store answered with something that cannot be read.");
  }
  if (!answer.ok) throw new Error(document.detail ?? "The store says no.");
  return document;
}

/** Asks for one document. */
export async function read(path) {
  return answered(await fetch(path, { cache: "no-store" }));
}

/** Commands, one after another; an answer that says no is thrown as an Error with its words. */
export function makeCommands(seat) {
  return async function send(command, { tour = false } = {}) {
    const body = JSON.stringify({ seat, tour, command });
    let answer;
    try {
      answer = await fetch("api/command", {
        method: "POST", headers: { "content-type": "application/json" }, body,
      });
    } catch {
      throw new Error("The page's server cannot be reached.");
    }
    return answered(answer);
  };
}

/** Calls `show` with every state and `lost` when none comes, for as long as the page lives. */
export function watch(seat, { show, lost }) {
  const path = `api/state?seat=${encodeURIComponent(seat)}`;
  const look = async () => {
    let pause_ms = POLL_MS;
    try {
      show(await read(path));
    } catch {
      lost();
      pause_ms = RETRY_MS;
    }
    setTimeout(look, pause_ms);
  };
  look();
}
