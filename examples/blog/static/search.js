// Suggestions under the search box, from the JSON view. Without this script the form still works.
const form = document.querySelector("form.search");
const input = form.querySelector("input");
const list = form.querySelector(".suggestions");
let latest = 0;

async function suggest() {
  const number = ++latest;
  const words = input.value.trim();
  const posts = words ? await find(words) : [];
  if (number !== latest) return; // a later keystroke has asked again
  list.replaceChildren(...posts.map(item));
  list.hidden = posts.length === 0;
}

async function find(words) {
  const response = await fetch(`${form.dataset.api}?${new URLSearchParams({ q: words })}`);
  return response.ok ? (await response.json()).posts : [];
}

function item(post) {
  const link = document.createElement("a");
  link.href = post.url;
  link.textContent = post.title;
  const entry = document.createElement("li");
  entry.append(link);
  return entry;
}

let waiting;
input.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(suggest, 150);
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Escape") list.hidden = true;
});
document.addEventListener("click", (event) => {
  if (!form.contains(event.target)) list.hidden = true;
});
