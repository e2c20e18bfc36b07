// Draws the panels, filters the tables of claims, and opens what a link leads to.
// A panel is a function (data, root) and a row of PANELS; panels.py makes the data.

const PANELS = {phases, dimensionality, explorer, dynamics: explorer, neurons};

/** Hides the claims that do not match the form's verdicts and word. */
function filter(claims) {
  const form = claims.querySelector("form"),
    rows = [...claims.querySelectorAll("tbody tr")];
  const word = form.querySelector("[type=search]"),
    output = form.querySelector("output");
  const apply = () => {
    const verdicts = new Set([...form.querySelectorAll(":checked")].map((box) => box.value));
    const text = word.value.trim().toLowerCase();
    for (const row of rows)
      row.hidden =
        !verdicts.has(row.dataset.verdict) || !row.textContent.toLowerCase().includes(text);
    const visible = rows.filter((row) => !row.hidden);
    output.textContent = `${visible.length} of ${plural(rows.length, "claim")}`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
}

/** Opens the closed element that contains the target of a link within the page. */
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const closed = target?.closest("details:not([open])");
  if (closed) {
    closed.open = true;
    target.scrollIntoView();
  }
}

document.querySelectorAll(".claims").forEach(filter);
addEventListener("hashchange", reveal);
reveal();
const redraws = []; // functions of the drawn panels, for a change between light and dark
const BLOCK = JSON.parse(document.getElementById("data").textContent);
const waiting = new Map(
  [...document.querySelectorAll(".panel")].map((root, k) => [root, BLOCK[k]]),
);
// A panel is drawn when it comes near the window: a page of thirty experiments opens at once.
const watch = new IntersectionObserver(
  (entries) => {
    for (const {isIntersecting, target} of entries) {
      if (!isIntersecting || !waiting.has(target)) continue;
      const data = waiting.get(target);
      waiting.delete(target);
      watch.unobserve(target);
      redraws.push(PANELS[data.kind](data, target));
    }
  },
  {rootMargin: "600px"},
);
waiting.forEach((_, root) => watch.observe(root));
DARK.addEventListener("change", () => redraws.forEach((redraw) => redraw()));
