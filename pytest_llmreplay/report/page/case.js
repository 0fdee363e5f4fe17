"use strict";

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
  judge_calls: ["requests to the judge", String], judge_cost_usd: ["cost of the judge", (v) => `${v.toFixed(5)} USD`],
  judge_input_tokens: ["input tokens of the judge", (v) => v.toLocaleString("en")],
  judge_output_tokens: ["output tokens of the judge", (v) => v.toLocaleString("en")],
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
    box.append(make("h4", {}, "Answer"), make("div", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": `answer of ${name}` }, soft(trial.answer) || "(empty)"));
  }
  if (trial.reasons.length) {
    box.append(make("h4", {}, "Checks"), make("ul", { class: "reasons" }, trial.reasons.map(reasonItem)));
    if (trial.more_reasons) box.append(make("p", { class: "quiet" }, `${trial.more_reasons} more reasons`));
  } else if (trial.status === "passed") {
    box.append(make("h4", {}, "Checks"), make("p", {}, "✓ all passed"));
  }
  if (trial.verdict) {
    box.append(make("h4", {}, trial.verdict.advisory ? "Verdict (advisory)" : "Verdict"), typeof trial.verdict === "string"
      ? make("div", { class: "text", dir: "auto" }, soft(trial.verdict)) : definitions(Object.entries(trial.verdict)));
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
      message.content ? make("div", { class: "text", dir: "auto" }, soft(message.content)) : null,
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
      make("div", { class: "text", tabindex: "0", role: "group", "aria-label": "expectation" }, soft(context.expect))));
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
