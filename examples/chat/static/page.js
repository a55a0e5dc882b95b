// The page of a room: shows what comes, sends what is written. All of it is put in as text, never as HTML.

import { Connection } from "./connection.js";

const MAX_SHOWN = 1000;
const GROUP = 5 * 60_000; // milliseconds within which the messages of one person stand together

const { me, messages: url } = document.body.dataset;
const list = document.getElementById("messages");
const form = document.getElementById("write");
const input = form.elements.text;
const problem = document.getElementById("problem");
const pending = new Map(); // our own messages that have not come back, by their key

const connection = new Connection(url, {
  state(state) {
    const line = document.getElementById("state");
    line.dataset.state = state;
    line.textContent = state;
  },

  message({ id, name, text, key }) {
    pending.get(key)?.remove();
    pending.delete(key);
    const at = new Date(Number(id.split("-")[0]));
    show(messageItem(name, text, at));
  },

  people({ names, count }) {
    document.getElementById("count").textContent = count;
    document.getElementById("people").replaceChildren(...names.map(personItem));
  },

  error({ text }) {
    complain(text);
  },
});

function show(item) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const first = [...pending.values()].find((other) => other.isConnected);
  list.insertBefore(item, item.classList.contains("pending") ? null : first ?? null);
  while (list.children.length > MAX_SHOWN) list.firstChild.remove();
  item.classList.toggle("follows", follows(item, item.previousElementSibling));
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function follows(item, before) {
  return before?.dataset.name === item.dataset.name && item.dataset.at - before.dataset.at < GROUP;
}

function messageItem(name, text, at) {
  const item = element("li", "message");
  item.dataset.name = name;
  item.dataset.at = at.getTime();
  item.classList.toggle("mine", name === me);
  const time = element("time", "soft", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = at.toISOString();
  time.title = at.toLocaleString();
  item.append(badge(name), element("strong", "", name), time, element("p", "", text));
  return item;
}

function personItem(name) {
  const item = element("li", name === me ? "mine" : "");
  item.append(badge(name), element("span", "", name));
  return item;
}

// The first letter of a name, in a colour that is always the same for it.
function badge(name) {
  const mark = element("span", "badge", [...name][0].toUpperCase());
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 0);
  mark.style.setProperty("--hue", hue);
  mark.ariaHidden = "true";
  return mark;
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function complain(text) {
  problem.textContent = text;
  problem.hidden = false;
  setTimeout(() => (problem.hidden = true), 5000);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text) return;
  const item = messageItem(me, text, new Date());
  item.classList.add("pending");
  pending.set(connection.send(text), item);
  show(item);
  list.scrollTop = list.scrollHeight;
  input.value = "";
});

// Enter sends, Shift+Enter begins a new line; not while an input method is choosing characters.
input.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
