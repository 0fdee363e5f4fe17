"use strict";

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

drawFilters();
drawHead();
draw();
addEventListener("hashchange", followLink);
followLink();
