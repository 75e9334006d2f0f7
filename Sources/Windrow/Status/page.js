// The status page. It asks the daemon that served it, every two seconds, and shows what it is told. Everything that comes from
// outside, names, topics, payloads, goes into the document as text, never as HTML.

const $ = (id) => document.getElementById(id);

/** An element with properties and children; attributes are named with a dash or begin with aria, others are properties. */
function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "colspan" || key === "scope") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
}

/** Sets a text only when it changes: screen readers tell what changes in a live region. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// How numbers read.

const compact = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

const number = (value) => (Math.abs(value) >= 1000 ? whole : compact).format(value);

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) (count /= 1024), unit++;
  return `${compact.format(count)} ${units[unit]}`;
}

function span(seconds) {
  if (seconds < 0) return `−${span(-seconds)}`;
  if (seconds < 1) return `${compact.format(seconds * 1000)} ms`;
  if (seconds < 100) return `${compact.format(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${whole.format(seconds / 86400)} d`;
}

/** The age of something: whole seconds will do, and no clock is wrong by less than one. */
const age = (seconds) => (seconds < 100 && seconds > -1 ? `${Math.max(0, Math.floor(seconds))} s` : span(seconds));

function rate(perSecond) {
  if (perSecond === 0 || perSecond >= 0.1) return `${number(perSecond)}/s`;
  return perSecond * 60 >= 0.1 ? `${number(perSecond * 60)}/min` : `${number(perSecond * 3600)}/h`;
}

const two = (value) => String(value).padStart(2, "0");
const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
const moment = (date) => `${day(date)} ${clock(date)}`;
const time = (text) => el("time", { dateTime: text, title: text }, moment(new Date(text)));

// Plots, drawn by hand.

const svgSpace = "http://www.w3.org/2000/svg";

function svg(label, ...paths) {
  const element = document.createElementNS(svgSpace, "svg");
  for (const [key, value] of [["viewBox", "0 0 1000 100"], ["preserveAspectRatio", "none"], ["role", "img"], ["aria-label", label]]) {
    element.setAttribute(key, value);
  }
  element.append(...paths);
  return element;
}

function path(kind, data) {
  const element = document.createElementNS(svgSpace, "path");
  element.setAttribute("class", kind);
  element.setAttribute("d", data);
  return element;
}

/** A line through places and heights; a missing height interrupts it. */
function line(places) {
  let isDrawing = false;
  return places.map(([x, y]) => {
    const step = y == null ? "" : `${isDrawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    isDrawing = y != null;
    // A lone place is a dot: a line of no length, with round ends.
    return step && step[0] === "M" ? `${step}l0.1 0` : step;
  }).join("");
}

/** A plot of the last 15 minutes: samples end now, and one line or two go from 0 up. */
function history(label, lines, format) {
  const slots = 180;
  const known = lines.flat().filter((value) => value != null);
  const top = Math.max(...known, 0) || 1;
  const drawn = lines.map((values, place) => path(place ? "second" : "first", line(values.map(
    (value, index) => [1000 * (slots - values.length + index) / (slots - 1), value == null ? null : 100 - 98 * value / top]))));
  const text = known.length ? `${label}: ${format(Math.min(...known))} to ${format(Math.max(...known))}` : `${label}: nothing yet`;
  return [
    svg(text, path("axis", "M0 100H1000"), ...drawn),
    el("div", { className: "scale", "aria-hidden": "true" }, el("span", {}, "15 min ago"), el("span", {}, `0 to ${format(top)}`), el("span", {}, "now")),
  ];
}

// The daemon's answers.

const fewRows = 25, mostRows = 200, fewDomains = 10;
const page = { domain: null, status: null, lastAnswer: null, isLost: false, open: null, version: null, limit: fewRows };

/** By the daemon's clock, which this machine's may differ from. */
const daemonNow = () => new Date(new Date(page.status.now).getTime() + (Date.now() - page.lastAnswer));

/** The answer as an object. Throws with a sentence for people. */
async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(`api/${path}${query ? `?${query}` : ""}`, { signal: AbortSignal.timeout(8000), cache: "no-store" });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail ?? `the daemon answered ${response.status}`);
  return answer;
}

/**
 * Does something again and again, a while after it is done, as long as somebody can see the page. A call while it is under way has it
 * done anew right behind: what was asked for since is not to wait for its turn.
 */
function repeat(milliseconds, body) {
  let timer, isRunning = false, isWanted = false;
  const run = async () => {
    clearTimeout(timer);
    isWanted = true;
    if (isRunning) return;
    isRunning = true;
    while (isWanted) {
      isWanted = false;
      await body();
    }
    isRunning = false;
    if (!document.hidden) timer = setTimeout(run, milliseconds);
  };
  document.addEventListener("visibilitychange", () => document.hidden || run());
  return run;
}

const refreshStatus = repeat(2000, async () => {
  try {
    const status = await ask("status", page.domain ? { domain: page.domain } : {});
    if (page.version && page.version !== status.version) location.reload();
    page.version = status.version;
    page.status = status;
    page.lastAnswer = new Date();
    const isBack = page.isLost;
    page.isLost = false;
    showStatus(status);
    if (isBack) refreshAll();
  } catch {
    showLost();
  }
});

function showLost() {
  page.isLost = true;
  const lost = $("lost");
  lost.hidden = false;
  say(lost, page.lastAnswer
    ? `No answer from the daemon since ${moment(page.lastAnswer)}. What you see is from then. This page goes on by itself when the daemon is back.`
    : "No answer from the daemon. This page begins by itself when it is there.");
  document.body.classList.add("stale");
  document.title = "Windrow: no answer";
  say($("state"), "");
}

function showStatus(status) {
  $("lost").hidden = true;
  document.body.classList.remove("stale");
  document.querySelector("main").hidden = false;
  const failing = status.stuck.length + status.domains.flatMap((domain) => domain.parts).filter((part) => part.failures.length).length;
  const state = $("state");
  say(state, failing ? `✕ ${failing === 1 ? "1 part does not work" : `${failing} parts do not work`}` : "✓ everything works");
  state.className = failing ? "bad" : "good";
  document.title = failing ? `Windrow: ${failing} failing` : "Windrow";
  const running = (new Date(status.now) - new Date(status.started_at)) / 1000;
  say($("about"), `version ${status.version}, running for ${age(running)}`);

  const names = status.domains.map((domain) => domain.name);
  const wanted = location.hash.slice(1);
  const chosen = names.includes(wanted) ? wanted : names[0];
  if (chosen !== page.domain) {
    page.domain = chosen;
    clear();
    refreshAll();
    return;
  }
  const domain = status.domains.find((domain) => domain.name === page.domain);
  showDomains(status.domains);
  say($("domain"), `Domain ${domain.name}`);
  showParts(domain, status.stuck);
  if (status.history) showFigures(domain, status.history);
}

const works = (isWorking, good = "works", bad = "fails") =>
  el("span", { className: isWorking ? "good" : "bad" }, isWorking ? `✓ ${good}` : `✕ ${bad}`);

function showDomains(domains) {
  $("domains").hidden = domains.length < 2;
  if (domains.length < 2 || document.activeElement?.closest("#domains tbody")) return;
  const isFailing = (domain) => domain.parts.some((part) => part.failures.length);
  const failing = domains.filter(isFailing).length;
  say($("domains-counts"), failing
    ? `${number(failing)} of ${number(domains.length)} ${failing === 1 ? "fails, and comes first" : "fail, and come first"}.`
    : `${number(domains.length)}, and all of them work.`);
  $("domains-search").hidden = domains.length < fewDomains;
  const search = $("domain-search").value.trim().toLowerCase();
  const found = domains.filter((domain) => domain.name.toLowerCase().includes(search));
  const rows = found.toSorted((a, b) => isFailing(b) - isFailing(a)).map((domain) => {
    const failing = domain.parts.filter((part) => part.failures.length);
    const row = el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `#${domain.name}` }, domain.name)),
      el("td", {}, works(!failing.length, "works", failing.map((part) => titles[part.part]).join(", "))),
      ...[perSecond(domain.received), perSecond(domain.settled), number(domain.pending), bytes(domain.journal_bytes), number(domain.silent_series)]
        .map((text) => el("td", { className: "number" }, text)));
    if (domain.name === page.domain) row.setAttribute("aria-current", "true");
    return row;
  });
  document.querySelector("#domains tbody").replaceChildren(...rows);
  if (page.shownDomain === page.domain) return;
  // Chosen a moment ago, perhaps by the page's address.
  page.shownDomain = page.domain;
  const [box, row] = [document.querySelector("#domains .scroll"), document.querySelector("#domains tr[aria-current]")];
  if (row && (row.offsetTop < box.scrollTop || row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight)) {
    box.scrollTop = row.offsetTop - box.clientHeight / 2;
  }
}

$("domain-search").addEventListener("input", () => page.status && showDomains(page.status.domains));

const titles = { broker: "Broker", postgres: "PostgreSQL", journal: "Journal" };
const perSecond = (value) => (value == null ? "–" : `${number(value)}/s`);

function showParts(domain, stuck) {
  const key = JSON.stringify([domain.parts, stuck]);
  if ($("parts").dataset.shown === key) return;
  $("parts").dataset.shown = key;
  const items = domain.parts.map(({ part, failures }) => el("li", { className: failures.length ? "failing" : "" },
    el("strong", {}, titles[part] ?? part), " ", works(!failures.length),
    ...failures.map(({ component, message }) => el("p", {}, `${component}: ${message}`))));
  if (stuck.length) items.push(el("li", { className: "failing" }, el("strong", {}, "Threads"), " ", works(false, "", "stuck"), el("p", {}, stuck.join(", "))));
  $("parts").replaceChildren(...items);
}

function showFigures(domain, past) {
  const flush = (value) => (value == null ? "–" : span(value));
  const figures = [
    ["Points a second", `${perSecond(domain.received)} in, ${perSecond(domain.settled)} out`, "solid: in, dashed: out",
      [past.received, past.settled], perSecond],
    ["Pending points", number(domain.pending), "accepted, not yet in PostgreSQL", [past.pending], number],
    ["Journal", `${bytes(domain.journal_bytes)} of ${bytes(domain.journal_limit)}`,
      (domain.journal_full_in == null ? "does not grow" : `full in ${span(domain.journal_full_in)} if it goes on growing`)
        + (domain.journal_kept_bytes > 0 ? `; beside it ${bytes(domain.journal_kept_bytes)} are kept that PostgreSQL has` : ""), [past.journal_bytes], bytes],
    ["Flush time", domain.flush_median == null ? "no flush" : `${flush(domain.flush_median)}, p99 ${flush(domain.flush_slowest)}`,
      "solid: median, dashed: p99", [past.flush_median, past.flush_slowest], span],
  ].map(([title, now, note, lines, format]) => el("figure", {},
    el("figcaption", {}, title, el("strong", {}, now), el("small", {}, note)), ...history(title, lines, format)));
  $("figures").replaceChildren(...figures);
}

// Series.

const table = document.querySelector("#series tbody");
const rows = new Map();

const refreshSeries = repeat(4000, async () => {
  if (!page.domain || page.isLost) return;
  const asked = { domain: page.domain, search: $("search").value.trim(), order: $("order").value, limit: page.limit };
  try {
    const answer = await ask("series", asked);
    if (asked.domain !== page.domain || asked.search !== $("search").value.trim() || asked.order !== $("order").value) return;
    showSeries(answer, asked);
  } catch (error) {
    if (!page.isLost) say($("series-note"), sentence(error.message));
  }
});

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");

function showSeries(answer, { search, order, limit }) {
  say($("series-counts"), `${number(answer.silent)} silent of ${number(answer.active)} written since ${moment(new Date(page.status.started_at))}. `
    + "Silent is one of which nothing new has come for five times as long as usual.");
  const notes = [];
  if (answer.problem) notes.push(sentence(answer.problem));
  if (!answer.rows.length) notes.push(search ? "No series is found by that." : "Nothing was written since the daemon's start; the search finds what is stored.");
  else if (answer.is_cut) notes.push(`The first ${answer.rows.length} are shown.`);
  say($("series-note"), notes.join(" "));
  $("more").hidden = !answer.is_cut || page.limit === mostRows;

  // Of what a search finds, the silent come first, too.
  if (search && order !== "name") answer.rows.sort((a, b) => b.is_silent - a.is_silent);
  const key = JSON.stringify([search, order, limit]);
  // Rows do not move under somebody's hands.
  const isHeld = table.dataset.shown === key && (page.open !== null || table.contains(document.activeElement));
  table.dataset.shown = key;
  const fresh = new Set(answer.rows.map((row) => row.series));
  for (const [id, shown] of rows) {
    if (fresh.has(id) || (isHeld && (id === page.open || shown.row.contains(document.activeElement)))) continue;
    if (page.open === id) close();
    shown.row.remove();
    rows.delete(id);
  }
  for (const entry of answer.rows) {
    const known = rows.get(entry.series);
    if (known) fill(known, entry);
    else rows.set(entry.series, fill(makeRow(entry.series), entry));
  }
  if (isHeld) {
    for (const entry of answer.rows) if (!rows.get(entry.series).row.isConnected) table.append(rows.get(entry.series).row);
  } else {
    close();
    table.replaceChildren(...answer.rows.map((entry) => rows.get(entry.series).row));
  }
}

function makeRow(id) {
  const button = el("button", { type: "button", "aria-expanded": "false" });
  const cells = ["", "number", "", "number", "wide", "number", "number wide"].map((className) => el("td", { className, role: "cell" }));
  const row = el("tr", { role: "row" }, ...cells);
  cells[2].append(button);
  row.addEventListener("click", (event) => (event.target === button || getSelection().isCollapsed) && toggle(id));
  return { row, cells, button, entry: null };
}

function fill(shown, entry) {
  const { cells, button } = shown;
  shown.entry = entry;
  const state = entry.is_silent ? "▲ silent" : entry.quiet == null ? "before start" : entry.usual == null ? "new" : "on time";
  say(cells[0], state);
  cells[0].className = entry.is_silent ? "bad" : "faint";
  say(cells[1], entry.node ?? "?");
  say(button, entry.tag ?? `series ${entry.series}`);
  say(cells[3], entry.value == null ? "–" : String(entry.value));
  const shownTime = entry.time ? moment(new Date(entry.time)) : "–";
  if (cells[4].textContent !== shownTime) cells[4].replaceChildren(entry.time ? time(entry.time) : "–");
  say(cells[5], entry.time ? age((daemonNow() - new Date(entry.time)) / 1000) : "–");
  say(cells[6], entry.rate == null ? "–" : rate(entry.rate));
  if (page.open === entry.series) say(document.querySelector(".panel .pace"), pace(entry));
  return shown;
}

function pace(entry) {
  const usual = entry.usual == null ? "How often it comes is not known yet." : `It comes every ${span(entry.usual)}, usually.`;
  if (entry.quiet == null) return "Nothing of it has come since the daemon's start.";
  return `${entry.is_silent ? "Silent: nothing new has" : "The last new point"} ${entry.is_silent ? "come for" : "came"} ${age(entry.quiet)}${entry.is_silent ? "" : " ago"}. ${usual}`;
}

function close() {
  if (page.open === null) return;
  rows.get(page.open)?.button.setAttribute("aria-expanded", "false");
  document.querySelector("tr.panel")?.remove();
  page.open = null;
}

const ranges = [["10 min", 600], ["1 hour", 3600], ["1 day", 86400], ["1 week", 604800], ["30 days", 2592000], ["1 year", 31536000]];

function toggle(id) {
  const isOpen = page.open === id;
  close();
  if (isOpen) return;
  const { row, button, entry } = rows.get(id);
  page.open = id;
  button.setAttribute("aria-expanded", "true");
  const place = el("div", { "aria-live": "polite" });
  const buttons = ranges.map(([title, seconds]) => {
    const button = el("button", { type: "button", "aria-pressed": "false" }, title);
    button.addEventListener("click", () => choose(button, seconds));
    return button;
  });
  const choose = (chosen, seconds) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
    showPoints(place, rows.get(id).entry, seconds);
  };
  const panel = el("tr", { className: "panel", role: "row" }, el("td", { colspan: 7, role: "cell" },
    el("p", { className: "pace" }, pace(entry)), el("div", { className: "ranges", role: "group", "aria-label": "Time shown" }, ...buttons), place));
  row.after(panel);
  // Enough for a hundred points, if it is known how often they come.
  const first = entry.usual == null ? 2 : Math.max(ranges.findIndex(([, seconds]) => seconds >= 100 * entry.usual), 0);
  choose(buttons[first], ranges[first][1]);
}

/** The points of a series, up to now, or to its last one if that is longer ago. */
async function showPoints(place, entry, seconds) {
  const now = daemonNow();
  const last = entry.time ? new Date(entry.time) : now;
  const end = now - last < seconds * 1000 && last <= now ? now : new Date(last.getTime() + 1000);
  const start = new Date(end - seconds * 1000);
  place.asked = start;
  try {
    const answer = await ask("points", { domain: page.domain, series: entry.series, start: start.toISOString(), end: end.toISOString() });
    if (place.asked === start) place.replaceChildren(...pointPlot(answer, start, seconds, entry));
  } catch (error) {
    if (place.asked === start) place.replaceChildren(el("p", { className: "bad" }, sentence(error.message)));
  }
}

function pointPlot({ buckets }, start, seconds, entry) {
  const known = buckets.filter(([, least, , greatest]) => least != null && greatest != null);
  const at = (offset) => new Date(start.getTime() + offset * 1000);
  const stamp = (date) => (seconds > 172800 ? day(date) : clock(date));
  const count = known.reduce((sum, bucket) => sum + bucket[4], 0);
  if (!known.length) return [el("p", { className: "faint" }, `There are no points from ${moment(start)} to ${moment(at(seconds))}.`)];
  let low = Math.min(...known.map((bucket) => bucket[1]));
  let high = Math.max(...known.map((bucket) => bucket[3]));
  const summary = `${number(count)} ${count === 1 ? "point" : "points"} from ${moment(start)} to ${moment(at(seconds))}, ${value(low)} to ${value(high)}`;
  if (low === high) (low -= Math.abs(low) / 10 || 1), (high += Math.abs(high) / 10 || 1);
  const x = (offset) => 1000 * offset / seconds;
  const y = (v) => 98 - 96 * (v - low) / (high - low);
  // Where points are missing, so is the line.
  const gap = Math.max(3 * seconds / 300, 3 * (entry.usual ?? 0));
  const pieces = [];
  for (const bucket of known) {
    if (!pieces.length || bucket[0] - pieces.at(-1).at(-1)[0] > gap) pieces.push([]);
    pieces.at(-1).push(bucket);
  }
  const band = pieces.filter((piece) => piece.length > 1).map((piece) =>
    `M${piece.map(([t, , , most]) => `${x(t).toFixed(1)} ${y(most).toFixed(1)}`).join("L")}L${piece.toReversed().map(([t, least]) => `${x(t).toFixed(1)} ${y(least).toFixed(1)}`).join("L")}Z`).join("");
  const mean = pieces.map((piece) => line(piece.map(([t, , mean]) => [x(t), y(mean)]))).join("");
  const dots = known.length > 60 ? "" : known.map(([t, , mean]) => `M${x(t).toFixed(1)} ${y(mean).toFixed(1)}l0.1 0`).join("");
  const cursor = path("cursor", "");
  const picture = svg(`${summary}. Left and right arrow keys read it out.`, path("axis", "M0 100H1000M0 2H1000"), path("band", band), path("mean", mean), path("dots", dots), cursor);
  picture.setAttribute("tabindex", "0");
  const readout = el("p", { className: "readout", "aria-live": "polite" });
  let chosen = known.length;
  const choose = (place) => {
    chosen = Math.max(0, Math.min(known.length - 1, place));
    const [t, least, mean, most, count] = known[chosen];
    cursor.setAttribute("d", `M${x(t).toFixed(1)} 0V100`);
    say(readout, `${moment(at(t))}: ${count === 1 ? value(mean) : `${value(least)} to ${value(most)}, mean ${value(mean)}, ${number(count)} points`}`);
  };
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const wanted = seconds * (event.clientX - box.left) / box.width;
    choose(known.reduce((best, [t], place) => (Math.abs(t - wanted) < Math.abs(known[best][0] - wanted) ? place : best), 0));
  });
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) event.preventDefault(), choose(chosen + step);
  });
  return [
    el("p", {}, `${summary}.`),
    el("div", { className: "plot" },
      el("div", { className: "scale upright", "aria-hidden": "true" }, el("span", {}, value(high)), el("span", {}, value(low))), picture,
      el("div", { className: "scale flat", "aria-hidden": "true" }, ...[0, 0.5, 1].map((share) => el("span", {}, stamp(at(seconds * share)))))),
    readout,
  ];
}

/** A value with as many digits as a plot needs. */
const value = (v) => String(Number(v.toPrecision(6)));

// Dead letters.

const refreshLetters = repeat(10000, async () => {
  if (!page.domain || page.isLost) return;
  try {
    const { domain, reasons } = await ask("dead-letters", { domain: page.domain });
    if (domain === page.domain) showLetters(reasons);
  } catch (error) {
    if (!page.isLost) say($("letters-note"), sentence(error.message));
  }
});

function showLetters(reasons) {
  const key = JSON.stringify(reasons);
  if ($("letters").dataset.shown === key) return;
  $("letters").dataset.shown = key;
  const total = reasons.reduce((sum, { count }) => sum + count, 0);
  $("letters-note").replaceChildren(...(total
    ? [`${number(total)} kept, by reason, with the newest of each. `, el("code", {}, "windrow dead-letters"), " shows them whole, and has them tried again."]
    : ["None: every message was accepted."]));
  const open = new Set([...$("letters").querySelectorAll("details[open]")].map((details) => details.dataset.reason));
  const focused = document.activeElement?.closest("details")?.dataset.reason;
  $("letters").replaceChildren(...reasons.map(({ reason, count, examples }) => {
    const details = el("details", { open: open.has(reason) },
      el("summary", {}, el("code", {}, reason), el("span", { className: "number" }, number(count))),
      ...examples.map((letter) => el("dl", {}, ...[
        ["Received", time(letter.received_at)], ["Topic", el("code", {}, letter.topic)], ["Why", letter.detail],
        ["Payload", el("code", {}, letter.payload || "(empty)")], ["Size", bytes(letter.payload_size)],
      ].flatMap(([title, content]) => [el("dt", {}, title), el("dd", {}, content)]))));
    details.dataset.reason = reason;
    return details;
  }));
  if (focused) $("letters").querySelector(`details[data-reason="${CSS.escape(focused)}"] summary`)?.focus();
}

// Everything together.

function clear() {
  close();
  page.limit = fewRows;
  rows.clear();
  table.replaceChildren();
  for (const id of ["parts", "figures", "letters"]) {
    $(id).replaceChildren();
    delete $(id).dataset.shown;
  }
  for (const id of ["series-note", "series-counts", "letters-note"]) say($(id), "");
}

function refreshAll() {
  refreshStatus();
  refreshSeries();
  refreshLetters();
}

let typing;
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(refreshSeries, 250);
});
$("order").addEventListener("change", refreshSeries);
$("more").addEventListener("click", () => {
  page.limit = mostRows;
  refreshSeries();
});
addEventListener("hashchange", refreshStatus);
refreshAll();
