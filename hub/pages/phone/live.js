// Server-sent events that come back: after a lost network, and after a hub that restarted and
// answered with an error meanwhile, which a bare EventSource takes for the end.

const WAIT_MS = [500, 1000, 2000, 4000, 8000];

/** Follows a stream of JSON states, sent as `event`, until `close` is called.
 *  `state` gets every state, `link` whether the stream stands, `gone` that there is no such thing. */
export function follow(url, { event = "visit", state, link, gone }) {
  let source = null;
  let timer = null;
  let tries = 0;
  let closed = false;

  const open = () => {
    source = new EventSource(url);
    source.addEventListener(event, (sent) => {
      tries = 0;
      link(true);
      state(JSON.parse(sent.data));
    });
    source.onerror = () => {
      source.close();
      link(false);
      retry();
    };
  };

  const retry = () => {
    const wait = WAIT_MS[Math.min(tries, WAIT_MS.length - 1)];
    tries += 1;
    timer = setTimeout(async () => {
      if (closed) return;
      if (await missing(url)) gone();
      else open();
    }, wait);
  };

  open();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      source.close();
    },
  };
}

/** Whether the hub is there and says that it knows no such visit. */
async function missing(url) {
  try {
    const answer = await fetch(url.replace(/\/events$/, ""), { cache: "no-store" });
    return answer.status === 404 || answer.status === 422;
  } catch {
    return false;
  }
}
