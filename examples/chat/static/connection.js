// A websocket that comes back. After a loss it connects again, each time a little later, and goes on after the
// last message that has arrived. What we have sent and not seen to come back is sent again.

const FIRST_DELAY = 500, LAST_DELAY = 15_000; // milliseconds

export class Connection {
  #url;
  #on;
  #socket;
  #timer;
  #delay = FIRST_DELAY;
  #ready = false;
  #last = "0-0"; // the id of the last message
  #unseen = new Map(); // what we have said and not heard yet, by its key

  // on: functions for what may happen: message({id, name, text, key}), people({names, count}), error({text}),
  // and state("connecting" | "connected" | "offline").
  constructor(url, on) {
    this.#url = new URL(url, location.href);
    this.#url.protocol = location.protocol.replace("http", "ws");
    this.#on = on;
    addEventListener("online", () => this.#connect());
    this.#connect();
  }

  // Returns the key by which the message is known when it comes back.
  send(text) {
    const key = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    this.#unseen.set(key, text);
    if (this.#ready) this.#transmit(key, text);
    return key;
  }

  #transmit(key, text) {
    this.#socket.send(JSON.stringify({ key, text }));
  }

  #connect() {
    clearTimeout(this.#timer);
    if (this.#socket && this.#socket.readyState <= WebSocket.OPEN) return;
    this.#on.state("connecting");
    this.#url.searchParams.set("after", this.#last);
    this.#socket = new WebSocket(this.#url);
    this.#socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    this.#socket.onclose = () => this.#wait();
  }

  #take(news) {
    if (news.type === "ready") {
      this.#ready = true;
      this.#delay = FIRST_DELAY;
      this.#on.state("connected");
      this.#unseen.forEach((text, key) => this.#transmit(key, text));
      return;
    }
    if (news.type === "message") {
      this.#last = news.id;
      this.#unseen.delete(news.key);
    }
    this.#on[news.type](news);
  }

  #wait() {
    if (!this.#ready) leaveIfUnknown();
    this.#ready = false;
    this.#on.state("offline");
    // At random, so that a server that starts again is not met by everybody at once.
    this.#timer = setTimeout(() => this.#connect(), this.#delay * (0.5 + Math.random()));
    this.#delay = Math.min(this.#delay * 2, LAST_DELAY);
  }
}

// Why a websocket was refused is not told. If it is because the server no longer knows us, the page leads on.
async function leaveIfUnknown() {
  const answer = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (answer?.type === "opaqueredirect") location.reload();
}
