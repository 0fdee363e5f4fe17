"use strict";
// Text only ever enters the page through textContent: nothing that a model wrote is read as HTML.
const $ = (id) => document.getElementById(id);
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
};
// A browser takes seconds to break 20,000 characters without a space; with places to break it takes none.
const soft = (text) => (/\S{400}/.test(text)
  ? text.split(/(\S{200})/).filter(Boolean).flatMap((part) => [part, make("wbr")]) : text);
const words = (text) => String(text).replaceAll("_", " ");

const data = JSON.parse($("index").textContent);
const cases = data.cases;
cases.forEach((line, position) => {
  line.position = position;
  line.words = [line.id, line.title, line.why, ...line.tool, ...line.code, ...line.tag, ...line.intent]
    .join("\n").toLowerCase();
});
const places = new Map(cases.map((line) => [line.id, line]));

const LABELS = ["regressed", "flaky", "unmeasured", "both_fail", "fixed", "both_pass"];
const SEVERITIES = ["critical", "high", "medium", "low"];
const rank = (list, value) => (list.indexOf(value) + list.length + 1) % (list.length + 1);
const share = (tally) => (tally[1] ? tally[0] / tally[1] : -1);
const FILTERS = [
  ["label", "outcome", (line) => [line.label]],
  ["severity", "severity", (line) => line.severity],
  ["category", "category", (line) => line.category],
  ["stage", "stage", (line) => line.stage],
  ["intent", "intent", (line) => line.intent],
  ["tag", "tag", (line) => line.tag],
  ["kind", "kind", (line) => (line.kind ? [line.kind] : [])],
  ["tool", "tool", (line) => line.tool],
  ["code", "code", (line) => line.code],
];
const COLUMNS = [
  ["case", (line) => line.id, ""],
  ["outcome", (line) => rank(LABELS, line.label), ""],
  ["severity", (line) => rank(SEVERITIES, line.severity[0]), "less"],
  ["intent", (line) => line.intent[0] || "~", "less"],
  [data.variants[0], (line) => share(line.rates[0]), "n"],
  [data.variants[1], (line) => share(line.rates[1]), "n"],
  ["why", (line) => line.why || "~", ""],
];
const PAGE = 200;
const state = { filters: {}, search: "", column: 1, descending: false, shown: PAGE, found: cases };

const collator = new Intl.Collator(undefined, { numeric: true });
const compareKeys = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));

function find() {
  const wanted = FILTERS.filter(([name]) => state.filters[name]);
  const asked = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = cases.filter((line) =>
    wanted.every(([name, , values]) => values(line).includes(state.filters[name])) &&
    asked.every((word) => line.words.includes(word)));
  const key = COLUMNS[state.column][1];
  const keyed = found.map((line) => [key(line), line]);
  keyed.sort((a, b) => compareKeys(a[0], b[0]) * (state.descending ? -1 : 1) || a[1].position - b[1].position);
  state.found = keyed.map((pair) => pair[1]);
}

const tallyText = (tally) => (tally[1] ? (tally[2] === 1 ? (tally[0] ? "pass" : "fail") : `${tally[0]}/${tally[1]}`)
  : tally[2] ? "not measured" : "–");
const badge = (word) => make("span", { class: `badge ${word}` }, words(word));
const link = (line) => `#case=${encodeURIComponent(line.id)}`;

function row(line) {
  return make("tr", { "data-position": line.position },
    make("td", {}, make("a", { href: link(line) }, line.shown),
      line.title ? make("div", { class: "quiet line foreign", dir: "auto" }, line.title) : null),
    make("td", {}, badge(line.label)),
    make("td", { class: "less" }, line.severity.length
      ? make("span", { class: `severity ${line.severity[0]}` }, line.severity[0]) : null),
    make("td", { class: "less" }, line.intent.join(", ")),
    make("td", { class: "n" }, tallyText(line.rates[0])),
    make("td", { class: "n" }, tallyText(line.rates[1])),
    make("td", {}, make("div", { class: "line foreign", dir: "auto" },
      line.cause ? make("b", {}, `${line.cause}: `) : null, line.why)));
}

const body = $("table").tBodies[0];
function draw() {
  find();
  state.shown = PAGE;
  body.replaceChildren(...state.found.slice(0, PAGE).map(row));
  const all = state.found.length === cases.length;
  $("count").textContent = all ? `${cases.length} cases` : `${state.found.length} of ${cases.length} cases`;
  $("reset").hidden = all && !state.search;
  $("more").hidden = state.found.length <= PAGE;
  for (const button of document.querySelectorAll(".count")) {
    button.setAttribute("aria-pressed", String(state.filters.label === button.dataset.label));
  }
}
function more() {
  body.append(...state.found.slice(state.shown, state.shown + PAGE).map(row));
  state.shown += PAGE;
  $("more").hidden = state.found.length <= state.shown;
}

function drawHead() {
  $("table").tHead.rows[0].replaceChildren(...COLUMNS.map(([name, , kind], index) => {
    const sorted = state.column === index ? (state.descending ? "descending" : "ascending") : "none";
    const arrow = sorted === "none" ? "" : state.descending ? " ↓" : " ↑";
    return make("th", { scope: "col", class: kind, "aria-sort": sorted },
      make("button", { type: "button", onclick: () => sortBy(index) }, name + arrow));
  }));
}
function sortBy(index) {
  state.descending = state.column === index && !state.descending;
  state.column = index;
  drawHead();
  draw();
  $("table").tHead.rows[0].cells[index].firstChild.focus();
}

function drawFilters() {
  for (const [name, title, values] of FILTERS) {
    const counts = new Map();
    for (const line of cases) for (const value of values(line)) counts.set(value, (counts.get(value) || 0) + 1);
    if (counts.size === 0) continue;
    const order = name === "label" ? LABELS : SEVERITIES;
    const names = [...counts.keys()].sort((a, b) => rank(order, a) - rank(order, b) || collator.compare(a, b));
    const select = make("select", { id: `filter-${name}`, onchange: () => setFilter(name, select.value) },
      make("option", { value: "" }, "all"),
      names.map((value) => make("option", { value }, `${words(value)} (${counts.get(value)})`)));
    $("filters").append(make("label", {}, title, select));
  }
}
function setFilter(name, value) {
  state.filters[name] = value;
  const select = $(`filter-${name}`);
  if (select) select.value = value;
  draw();
}
function reset() {
  for (const name of Object.keys(state.filters)) setFilter(name, "");
  $("search").value = state.search = "";
  draw();
}
