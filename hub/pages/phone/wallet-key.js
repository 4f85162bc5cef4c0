// The wallet's key in this browser, and the store's own words for a refusal.

const KEY = "sortie.wallet";

/** The wallet's key; empty if there is none. */
export function recallWallet() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** Keeps the wallet's key, or forgets it. */
export function rememberWallet(value) {
  try {
    if (value) localStorage.setItem(KEY, value);
    else localStorage.removeItem(KEY);
  } catch {
    // A browser that keeps nothing still shows this wallet until the page is closed.
  }
}

/** Why the store said no. */
export async function reason(answer) {
  try {
    const said = await answer.json();
    return typeof said.detail === "string" ? said.detail : "The store said no. Try again.";
  } catch {
    return "The store said no. Try again.";
  }
}
