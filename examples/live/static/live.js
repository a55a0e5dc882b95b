// Measurements as they are made: the last ones at once, the others as events.
const { recent, events } = document.body.dataset;
const names = ["cpu", "lag", "requests", "viewers"];
const kept = 120;
const measurements = [];

function add(measurement) {
  const last = measurements.at(-1);
  if (last && measurement.at <= last.at) return; // it was among the last ones, too
  measurements.push(measurement);
  if (measurements.length > kept) measurements.shift();
}

function draw() {
  const now = measurements.at(-1);
  if (!now) return;
  for (const name of names) {
    document.getElementById(name).textContent = now[name];
    const plot = document.querySelector(`[data-plot=${name}]`);
    const values = measurements.map((one) => one[name]);
    const max = Math.max(...values, 1);
    const points = values.map((value, at) => {
      const x = 240 - (values.length - 1 - at) * (240 / (kept - 1));
      return `${x.toFixed(1)},${(70 - (value / max) * 50).toFixed(1)}`;
    });
    plot.querySelector("polyline").setAttribute("points", points.join(" "));
    plot.querySelector("[data-max]").textContent = `max ${max}`;
  }
}

const state = document.getElementById("state");
const source = new EventSource(events);
source.addEventListener("open", async () => {
  state.textContent = "live";
  for (const measurement of await (await fetch(recent)).json()) add(measurement);
  draw();
});
source.addEventListener("error", () => { state.textContent = "connecting again"; }); // it does so by itself
source.addEventListener("message", (event) => {
  add(JSON.parse(event.data));
  draw();
});

for (const button of document.querySelectorAll("[data-work]")) {
  button.addEventListener("click", () => fetch(button.dataset.work, { method: "POST" }));
}
