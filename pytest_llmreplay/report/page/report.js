
"use strict";
(() => {
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

  // One case

  const parsed = (text) => {
    try {
      const value = JSON.parse(text);
      return value && typeof value === "object" && !Array.isArray(value) ? value : null;
    } catch {
      return null;
    }
  };

  function aligned(before, after) {
    // The longest common subsequence of names; what is between its calls stands side by side.
    const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
    for (let i = before.length - 1; i >= 0; i--) {
      for (let j = after.length - 1; j >= 0; j--) {
        lengths[i][j] = before[i][0] === after[j][0] ? lengths[i + 1][j + 1] + 1
          : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
      }
    }
    const pairs = [];
    let i = 0, j = 0;
    while (i < before.length || j < after.length) {
      if (i < before.length && j < after.length && before[i][0] === after[j][0]) pairs.push([before[i++], after[j++]]);
      else if (i < before.length && j < after.length && lengths[i + 1][j + 1] === lengths[i][j]) {
        pairs.push([before[i++], after[j++]]);
      } else if (j >= after.length || (i < before.length && lengths[i + 1][j] >= lengths[i][j + 1])) {
        pairs.push([before[i++], null]);
      } else pairs.push([null, after[j++]]);
    }
    return pairs;
  }

  function callCell(call, other, source) {
    if (!call) return make("td", { class: "none" }, "no call");
    const sameName = other && other[0] === call[0];
    const name = make(sameName || !other ? "span" : "mark", { class: "name" }, call[0]);
    const mine = parsed(call[1]), theirs = other ? parsed(other[1]) : null;
    const different = !other || other[0] !== call[0] || other[1] !== call[1];
    const list = mine === null
      ? make("code", {}, call[1])
      : make("ul", {}, Object.entries(mine).map(([key, value]) => {
        const same = sameName && theirs !== null && key in theirs &&
          JSON.stringify(theirs[key]) === JSON.stringify(value);
        const text = `${key}: ${JSON.stringify(value)}`;
        return make("li", {}, same || !other || !sameName ? text : make("mark", {}, text));
      }));
    return make("td", { class: different ? "different" : null }, name,
      source ? make("span", { class: "quiet" }, ` ${words(source)}`) : null, list);
  }

  function callsTable(before, after) {
    const calls = [before ? before.calls : [], after ? after.calls : []];
    if (!calls[0].length && !calls[1].length) return make("p", { class: "quiet" }, "Neither variant called a tool.");
    const sources = new Map();
    [before, after].forEach((trial) => trial && trial.calls.forEach((call, i) => sources.set(call, trial.sources[i])));
    const cut = (before ? before.more_calls : 0) + (after ? after.more_calls : 0);
    return [make("table", { class: "calls" },
      make("thead", {}, make("tr", {}, data.variants.map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, aligned(...calls).map(([one, two]) =>
        make("tr", {}, callCell(one, two, sources.get(one)), callCell(two, one, sources.get(two)))))),
    cut ? make("p", { class: "quiet" }, `${cut} more calls are in outcomes.parquet`) : null];
  }

  const FIGURES = {
    latency_s: ["latency", (v) => `${v.toFixed(2)} s`], cost_usd: ["cost", (v) => `${v.toFixed(5)} USD`],
    input_tokens: ["input tokens", (v) => v.toLocaleString("en")], output_tokens: ["output tokens", (v) => v.toLocaleString("en")],
    tokens: ["tokens", (v) => v.toLocaleString("en")], steps: ["requests", String], score: ["score", String],
    live_share: ["really sent", (v) => `${Math.round(100 * v)} %`],
    recorded_share: ["calls answered from recordings", (v) => `${Math.round(100 * v)} %`],
  };
  const definitions = (entries) => make("dl", { class: "facts" },
    entries.map(([label, text]) => [make("dt", {}, label), make("dd", { dir: "auto", class: "foreign" }, text)]));

  function reasonItem(reason) {
    const lines = [];
    for (const key of ["path", "expected", "actual"]) {
      if (reason[key]) lines.push(make("div", { class: "quiet" }, `${key}: ${reason[key]}`));
    }
    const place = [reason.check, reason.code].filter(Boolean).join(" · ");
    return make("li", { dir: "auto" }, make("b", {}, place ? `${place}: ` : ""), reason.message || "", lines);
  }

  function side(name, trial) {
    const box = make("section", { class: "side", "aria-label": name }, make("h3", {}, name, " "));
    if (!trial) {
      box.append(make("p", { class: "quiet" }, "This variant has no outcome for the case."));
      return box;
    }
    box.firstChild.append(badge(trial.status));
    if ("answer" in trial) {
      box.append(make("h4", {}, "Answer"), make("div", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": `answer of ${name}` }, trial.answer || "(empty)"));
    }
    if (trial.reasons.length) {
      box.append(make("h4", {}, "Checks"), make("ul", { class: "reasons" }, trial.reasons.map(reasonItem)));
      if (trial.more_reasons) box.append(make("p", { class: "quiet" }, `${trial.more_reasons} more reasons`));
    } else if (trial.status === "passed") {
      box.append(make("h4", {}, "Checks"), make("p", {}, "✓ all passed"));
    }
    if (trial.verdict) {
      box.append(make("h4", {}, "Verdict"), typeof trial.verdict === "string"
        ? make("div", { class: "text", dir: "auto" }, trial.verdict) : definitions(Object.entries(trial.verdict)));
    }
    if (trial.divergence) {
      const it = trial.divergence;
      box.append(make("h4", {}, "First divergence from the recording"), definitions([
        ["where", `turn ${it.turn}, call ${it.step}`],
        ["recorded", it.recorded || "no call"], ["now", it.actual || "no call"]]));
    }
    const figures = Object.entries(FIGURES).filter(([key]) => key in trial.figures);
    if (figures.length) {
      box.append(make("h4", {}, "Figures"),
        definitions(figures.map(([key, [label, text]]) => [label, text(trial.figures[key])])));
    }
    return box;
  }

  function chat(messages) {
    return make("div", { class: "chat", tabindex: "0", role: "group", "aria-label": "messages" }, messages.map((message) =>
      make("div", { class: message.role === "user" ? "user" : "other" },
        make("span", { class: "who" }, message.role),
        message.content ? make("div", { class: "text", dir: "auto" }, message.content) : null,
        message.calls.map(([name, args]) => make("code", {}, `${name}(${args})`)))));
  }

  function contextBlocks(context) {
    if (context.left_out) {
      return [make("p", { class: "quiet" }, "The conversation is left out of this report; pytest-llmreplay golden show has it.")];
    }
    const blocks = [];
    if (context.summary) blocks.push(make("p", { dir: "auto" }, context.summary));
    if (context.messages && context.messages.length) {
      blocks.push(make("h3", {}, "Conversation"), chat(context.messages));
    }
    if (context.produced && context.produced.length) {
      blocks.push(make("details", {}, make("summary", {}, "What production did then"), chat(context.produced)));
    }
    if (context.expect) {
      blocks.push(make("details", {}, make("summary", {}, "What is expected"),
        make("div", { class: "text", tabindex: "0", role: "group", "aria-label": "expectation" }, context.expect)));
    }
    return blocks;
  }

  const dialog = $("case");
  let opener = null;
  const worst = (trials) => trials.find((t) => t.status === "failed") || trials.find((t) => t.status !== "passed") || trials[0];

  function showCase(line) {
    const detail = JSON.parse($(`detail-${line.position}`).textContent);
    const chosen = detail.sides.map((trials) => (trials.length ? worst(trials) : null));
    const comparing = make("div", {});
    const compareTrials = () => comparing.replaceChildren(
      make("h3", {}, "Calls"), ...[callsTable(...chosen)].flat().filter(Boolean),
      make("div", { class: "sides" }, chosen.map((trial, i) => side(data.variants[i], trial))));
    const pickers = detail.sides.map((trials, i) => trials.length < 2 ? null : make("label", {}, `${data.variants[i]}: `,
      make("select", { onchange: (event) => { chosen[i] = trials[Number(event.target.value)]; compareTrials(); } },
        trials.map((trial, n) => make("option", { value: n, selected: trial === chosen[i] },
          `trial ${trial.trial}, ${words(trial.status)}`)))));
    compareTrials();
    const labels = [...line.severity, line.kind, line.status, ...line.category, ...line.stage, ...line.intent,
      ...line.tag, line.suite].filter(Boolean);
    const at = state.found.indexOf(line);
    const step = (by) => make("button", { type: "button", disabled: !state.found[at + by], "aria-label": by < 0 ? "Previous case" : "Next case",
      onclick: () => moveTo(by) }, by < 0 ? "‹" : "›");
    dialog.replaceChildren(
      make("div", { class: "bar" }, make("h2", { id: "case-title", tabindex: "-1" }, line.shown), badge(line.label),
        step(-1), step(1), make("button", { type: "button", id: "close", onclick: () => dialog.close() }, "Close")),
      make("div", { class: "body" },
        line.title ? make("p", { class: "lead foreign", dir: "auto" }, line.title) : null,
        make("p", { class: "quiet" }, labels.join(" · ")),
        line.why ? make("p", { dir: "auto", class: "foreign" }, make("b", {}, line.cause ? `${line.cause}: ` : ""), line.why) : null,
        pickers.filter(Boolean).length ? make("p", {}, pickers) : null,
        comparing, contextBlocks(detail.context),
        detail.context.command ? [make("h3", {}, "Reproduce"),
          make("code", { class: "command", tabindex: "0" }, detail.context.command)] : null));
    dialog.dataset.case = line.id;
    if (!dialog.open) {
      opener = document.activeElement;
      dialog.showModal();
    }
    dialog.scrollTop = 0;
    $("case-title").focus();
  }
  function moveTo(by) {
    const next = state.found[state.found.indexOf(places.get(dialog.dataset.case)) + by];
    if (next) location.replace(link(next));
  }
  function followLink() {
    if (!location.hash.startsWith("#case=")) {
      if (dialog.open) dialog.close();
      return;
    }
    let wanted = "";
    try {
      wanted = decodeURIComponent(location.hash.slice(6));
    } catch {
      return;
    }
    const line = places.get(wanted);
    if (line) showCase(line);
  }

  // Keys

  function moveRow(by) {
    const links = [...body.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (at + by >= links.length && !$("more").hidden) {
      more();
      moveRow(by);
      return;
    }
    const next = links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)];
    if (next) next.focus();
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
    if (typing && event.key === "Escape" && event.target === $("search")) {
      event.target.blur();
      return;
    }
    if (typing) return;
    const by = { j: 1, k: -1 }[event.key];
    if (event.key === "/" && !dialog.open) {
      event.preventDefault();
      $("search").focus();
    } else if (by) {
      event.preventDefault();
      if (dialog.open) moveTo(by);
      else moveRow(by);
    } else if (dialog.open && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
      moveTo(event.key === "ArrowLeft" ? -1 : 1);
    }
  });

  dialog.addEventListener("close", () => {
    if (location.hash.startsWith("#case=")) history.pushState(null, "", location.pathname + location.search + "#cases");
    const line = places.get(dialog.dataset.case);
    const own = line && body.querySelector(`tr[data-position="${line.position}"] a`);
    (own || opener || $("search")).focus();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  body.addEventListener("click", (event) => {
    const line = event.target.closest("tr");
    if (line && !event.target.closest("a") && !String(getSelection())) location.hash = link(cases[Number(line.dataset.position)]);
  });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  let waiting = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { state.search = $("search").value; draw(); }, 60);
  });
  $("more").addEventListener("click", more);
  $("reset").addEventListener("click", reset);
  for (const button of document.querySelectorAll(".count")) {
    button.addEventListener("click", () => {
      setFilter("label", state.filters.label === button.dataset.label ? "" : button.dataset.label);
    });
  }

  const theme = $("theme");
  const dark = () => (document.documentElement.dataset.theme ||
    (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const nameTheme = () => {
    theme.textContent = dark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", dark() ? "Light colours" : "Dark colours");
    theme.removeAttribute("aria-pressed");
  };
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    nameTheme();
  });

  nameTheme();
  drawFilters();
  drawHead();
  draw();
  addEventListener("hashchange", followLink);
  followLink();
})();
