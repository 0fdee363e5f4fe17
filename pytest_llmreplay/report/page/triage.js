// A link to a conversation opens it. Without this script it is opened by hand.
const openTarget = () => {
  const raw = location.hash.slice(1);
  let written = raw;
  try {
    written = decodeURIComponent(raw);
  } catch {
    // An address that is no text has no place on this page.
  }
  const place = document.getElementById(raw) || document.getElementById(written);
  if (!place || !place.matches("details.example")) return;
  place.open = true;
  place.scrollIntoView();
  place.querySelector("summary").focus({ preventScroll: true });
};
addEventListener("hashchange", openTarget);
openTarget();
