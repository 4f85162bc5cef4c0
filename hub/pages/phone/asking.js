// What both phone pages need to ask the store: what this browser keeps, and the words for a refusal.

/** What this browser keeps under a name; without storage a page still works until it is closed. */
export function kept(name) {
  return {
    /** What was kept; empty if there is nothing. */
    recall() {
      try {
        return localStorage.getItem(name) ?? "";
      } catch {
        return "";
      }
    },
    /** Keeps it, or forgets what was kept. */
    remember(value) {
      try {
        if (value) localStorage.setItem(name, value);
        else localStorage.removeItem(name);
      } catch {
        // Nothing is kept then.
      }
    },
  };
}

/** The key of the wallet in this browser. */
export const wallet = kept("sortie.wallet");

/** A name nobody else draws: what is asked again under it is done once. */
export const once = () => `p-${crypto.getRandomValues(new Uint32Array(3)).join("-")}`;

/** An answer that does not come within so long is none. */
export const ANSWER_MS = 10_000;

export const AWAY = "The store cannot be reached. Try again.";

/** Why asking came to nothing: fetch throws a TypeError where there is no answer. */
export const failure = (error) => (error instanceof TypeError ? AWAY : error.message);

/** Why the store said no. */
export async function reason(answer) {
  try {
    const said = await answer.json();
    return typeof said.detail === "string" ? said.detail : "The store said no. Try again.";
  } catch {
    return "The store said no. Try again.";
  }
}
