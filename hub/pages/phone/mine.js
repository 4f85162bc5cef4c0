// What only the holder of a token may ask: the token goes in a header, never in an address, so that
// no history, no log and no link has it.

/** The headers of a request with this token; only those that are given where there is none. */
export const bearing = (token, more = {}) => (token ? { ...more, Authorization: `Bearer ${token}` } : more);

/** Pictures that need a token: each is asked for once and shown from this page's memory. `came` is
 *  called when one is there. */
export function pictures(came) {
  const shown = new Map();
  const asked = new Set();

  const ask = async (key, path, token) => {
    asked.add(key);
    try {
      const answer = await fetch(path, { headers: bearing(token), cache: "no-store" });
      if (!answer.ok) return;
      shown.set(key, URL.createObjectURL(await answer.blob()));
      came();
    } catch {
      // It is asked for again when the page is drawn again.
    } finally {
      asked.delete(key);
    }
  };

  return {
    /** Where the picture under a key is, or null until it is there. */
    of(key, path, token) {
      if (!shown.has(key) && !asked.has(key)) ask(key, path, token);
      return shown.get(key) ?? null;
    },
    /** Lets go of every picture whose key does not pass. */
    keep(wanted) {
      for (const [key, url] of shown) {
        if (wanted(key)) continue;
        URL.revokeObjectURL(url);
        shown.delete(key);
      }
    },
  };
}

/** A picture that turns, and needs a token: until the new one is there the last is shown. */
export function turning(came) {
  const images = pictures(came);
  let last = "";
  return {
    /** Where the latest picture is that is there; empty before the first. */
    of(key, path, token) {
      const url = images.of(key, path, token);
      if (url) {
        last = url;
        images.keep((one) => one === key);
      }
      return last;
    },
    forget() {
      last = "";
      images.keep(() => false);
    },
  };
}
