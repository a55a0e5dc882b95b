"use strict";
// The page can be read without this: it adds a button that copies, and the consoles.

const main = document.querySelector("main");
const tools = document.querySelector(".tools");
const tokenName = "asyncflask-debug-token";

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// Copying

const plain = document.querySelector(".copy pre");
tools.hidden = false;
tools.firstElementChild.addEventListener("click", async ({ target }) => {
  try {
    await navigator.clipboard.writeText(plain.textContent);
    target.textContent = "Copied";
  } catch {
    // Not allowed, or no secure connection: leave it selected, to be copied by hand.
    plain.closest("details").open = true;
    getSelection().selectAllChildren(plain);
    target.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
  }
  setTimeout(() => (target.textContent = "Copy the traceback as text"), 2000);
});

// Consoles

async function ask(message, signal) {
  const response = await fetch(main.dataset.console, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Debugger-Token": localStorage[tokenName] || "" },
    body: JSON.stringify({ page: main.dataset.page, ...message }),
    signal,
  });
  const isAnswer = (response.headers.get("Content-Type") || "").startsWith("application/json");
  if (!isAnswer) throw new Error("The console is gone: reload the page.");
  return { status: response.status, ...(await response.json()) };
}

class Console {
  constructor(place) {
    this.place = place;
    this.frame = Number(place.dataset.frame);
    this.history = [];
    this.position = 0;
    this.button = make("button", "", "Console");
    this.button.type = "button";
    this.button.addEventListener("click", () => this.open());
    place.append(this.button);
    place.hidden = false;
  }

  open() {
    this.button.remove();
    this.log = make("div", "log");
    this.log.setAttribute("role", "log");
    this.form = make("form");
    this.place.append(this.log, this.form);
    if (localStorage[tokenName]) this.showPrompt();
    else this.showPin();
  }

  write(text, className) {
    if (text) this.log.append(make("div", className, text.replace(/\n$/, "")));
    this.log.scrollTop = this.log.scrollHeight;
  }

  async showPin(message) {
    const label = make("label", "", "PIN ");
    const input = make("input");
    input.inputMode = "numeric";
    input.autocomplete = "off";
    input.size = 12;
    label.append(input);
    const note = make("small", "", message || "The PIN is in the terminal that the server runs in.");
    this.form.replaceChildren(label, make("button", "", "Unlock"), note);
    this.form.onsubmit = async (event) => {
      event.preventDefault();
      const answer = await this.try(() => ask({ action: "unlock", pin: input.value }));
      if (!answer) return;
      if (answer.token) {
        localStorage[tokenName] = answer.token;
        this.showPrompt();
      } else {
        note.textContent = answer.error;
        input.select();
      }
    };
    input.focus();
    await this.try(() => ask({ action: "pin" })); // has it printed, at the end of the terminal
  }

  showPrompt() {
    this.form.replaceChildren();
    this.input = make("textarea");
    this.input.rows = 1;
    this.input.spellcheck = false;
    this.input.setAttribute("aria-label", "Python code");
    this.input.setAttribute("autocapitalize", "off");
    this.run = make("button", "", "Run");
    const note = make("small", "", "Enter runs it, Shift+Enter begins a line; await works; Escape stops it.");
    this.form.append(this.input, this.run, note);
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.running ? this.running.abort() : this.submit();
    };
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.input.focus();
  }

  onKey(event) {
    const value = this.input.value;
    const isOneLine = !value.includes("\n");
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.running) {
      this.running.abort();
    } else if (event.key === "Tab" && !event.shiftKey && /(^|\n)[ ]*$/.test(value) && !isOneLine) {
      event.preventDefault();
      this.input.setRangeText("    ", this.input.selectionStart, this.input.selectionEnd, "end");
    } else if (event.key === "ArrowUp" && !value.slice(0, this.input.selectionStart).includes("\n")) {
      if (this.recall(-1, event)) this.input.setSelectionRange(0, 0);
    } else if (event.key === "ArrowDown" && !value.slice(this.input.selectionEnd).includes("\n")) {
      this.recall(1, event);
    }
    this.input.rows = Math.min(this.input.value.split("\n").length, 12);
  }

  recall(step, event) {
    const position = this.position + step;
    if (!(position >= 0 && position <= this.history.length)) return false;
    event.preventDefault();
    this.position = position;
    this.input.value = this.history[position] || "";
    return true;
  }

  async submit() {
    const code = this.input.value;
    if (!code.trim() || this.running) return;
    this.running = new AbortController();
    this.run.textContent = "Stop";
    const message = { action: "run", frame: this.frame, code };
    const answer = await this.try(() => ask(message, this.running.signal));
    this.running = null;
    this.run.textContent = "Run";
    if (!answer) return;
    if (answer.status === 403) {
      delete localStorage[tokenName];
      this.showPin(answer.error);
      return;
    }
    if (answer.more) {
      const indent = /:\s*$/.test(code) ? "    " : "";
      const before = code.slice(code.lastIndexOf("\n") + 1).match(/^ */)[0];
      this.input.value = `${code}\n${before}${indent}`;
      this.input.rows += 1;
      return;
    }
    this.write(code.replace(/^/gm, "... ").replace("... ", ">>> "), "typed");
    this.write(answer.output, answer.failed ? "failed" : "");
    this.write(answer.error, "failed");
    this.history.push(code);
    this.position = this.history.length;
    this.input.value = "";
    this.input.rows = 1;
  }

  async try(action) {
    try {
      return await action();
    } catch (error) {
      this.write(error.name === "AbortError" ? "Stopped." : `${error.message || error}`, "failed");
      return null;
    }
  }
}

if (main.dataset.console) {
  for (const place of document.querySelectorAll(".console")) new Console(place);
}
