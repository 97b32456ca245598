// Asks once a second how the stack does and shows it; sends an increment and follows its outcome.

import { draw } from "/page/spark.js";

const LOOK_EVERY_MS = 1000;
const ASK_EVERY_MS = 250;
const MAX_ASKS = 80; // 20 s; a batch takes less than one
const GROUPED = new Intl.NumberFormat("en");
const $ = (id) => document.getElementById(id);

/** An element with a text; texts from outside are never read as HTML. */
function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

function show(status) {
  $("rate").textContent = GROUPED.format(Math.round(status.rate));
  const peak = draw($("spark"), status.per_second);
  $("peak").textContent = peak ? `peak ${GROUPED.format(peak)}` : "";
  for (const [name, total] of Object.entries(status.totals)) {
    if ($(name)) $(name).textContent = GROUPED.format(total);
  }
  showQueue(status.queue);
  if (status.counters) showCounters(status.counters);
  showReturned(status.returned);
  const events = status.totals.applied + status.totals.rejected;
  $("cost").textContent = events
    ? `${(status.totals.operations / events).toFixed(3)} operations of the store an event`
    : "";
}

function showQueue(queue) {
  if (!queue) return;
  $("dead").textContent = GROUPED.format(queue.dead);
  $("dead-total").classList.toggle("some", queue.dead > 0);
  $("queue").textContent =
    `${GROUPED.format(queue.waiting)} messages waiting, ${GROUPED.format(queue.in_flight)} in flight`;
}

function showCounters(counters) {
  const rows = counters.map(({ name, count }) => {
    const row = document.createElement("tr");
    const title = element("th", name);
    title.scope = "row";
    title.title = name;
    row.append(title, element("td", count === null ? "none" : GROUPED.format(BigInt(count))));
    return row;
  });
  $("counters").replaceChildren(...rows);
  $("no-counters").hidden = rows.length > 0;
}

function showReturned(returned) {
  const rows = returned.map((message) => {
    const row = document.createElement("li");
    const isDead = message.receives >= message.max_receives;
    const tries = isDead
      ? "dead letter"
      : `try ${message.receives} of ${message.max_receives}`;
    row.append(
      element("span", message.counter || "unreadable"),
      element("span", message.detail || message.reason, "why"),
      element("span", tries, isDead ? "tries dead" : "tries"),
    );
    return row;
  });
  $("returned").replaceChildren(...rows);
  $("no-returned").hidden = rows.length > 0;
}

function pulse(text, className) {
  if ($("pulse").textContent === text) return;
  $("pulse").textContent = text;
  $("pulse").className = `pulse ${className}`;
}

async function look() {
  try {
    const response = await fetch("/status.json");
    show(await response.json());
    pulse("live", "live");
  } catch {
    pulse("not running", "lost");
  }
  setTimeout(look, LOOK_EVERY_MS);
}

function answer(className, title, more) {
  $("answer").className = className;
  $("answer").replaceChildren(element("b", title), element("span", more));
}

/** The fields as JSON, digit by digit: JavaScript's numbers end at 2^53. */
function body() {
  const fields = ["amount", "max", "min"].filter((name) => $(name).value);
  return `{${fields.map((name) => `"${name}": ${BigInt($(name).value)}`).join(", ")}}`;
}

async function problem(response) {
  const told = await response.json();
  answer("failed", told.title ?? told.message, told.detail ?? "");
}

async function send() {
  const path = `/counters/${encodeURIComponent($("counter").value)}/increments`;
  const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
  const response = await fetch(path, { method: "POST", headers, body: body() });
  if (!response.ok) return problem(response);
  const { event, outcome } = await response.json();
  answer("pending", "confirmed by the queue", event);
  for (let asked = 0; asked < MAX_ASKS; asked += 1) {
    const told = await fetch(outcome);
    if (!told.ok) return problem(told);
    const became = (await told.json()).outcome;
    if (became !== "pending") return answer(became, became, event);
    await pause(ASK_EVERY_MS);
  }
  return answer("pending", "still pending", event);
}

$("send").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  $("count").disabled = true;
  try {
    await send();
  } catch (error) {
    answer("failed", "not sent", error.message);
  } finally {
    $("count").disabled = false;
  }
});

look();
