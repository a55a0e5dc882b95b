// The start page asks the API who we are, and listens to the clock.

const api = document.getElementById("api");
const clock = document.getElementById("clock");

const response = await fetch(api.dataset.url);
api.textContent = response.ok ? (await response.json()).greeting : response.statusText;

const url = new URL(clock.dataset.url, location.href);
url.protocol = location.protocol.replace("http", "ws");
new WebSocket(url).onmessage = ({ data }) => (clock.textContent = data);
