// Draws each panel when it comes near, and filters the tables of claims.
// A panel is a function (data, root) and a row of PANELS; panels.py says which data each one gets.

const PANELS = {phases, dimensionality, explorer, dynamics: explorer, neurons};

/** Hides the claims that a form's verdicts and word leave out. */
function filter(claims) {
  const form = claims.querySelector("form"),
    rows = [...claims.querySelectorAll("tbody tr")];
  const word = form.querySelector("[type=search]"),
    output = form.querySelector("output");
  const apply = () => {
    const verdicts = new Set([...form.querySelectorAll(":checked")].map((box) => box.value));
    const wanted = word.value.trim().toLowerCase();
    for (const row of rows)
      row.hidden =
        !verdicts.has(row.dataset.verdict) || !row.textContent.toLowerCase().includes(wanted);
    output.textContent = `${rows.filter((row) => !row.hidden).length} of ${plural(rows.length, "claim")}`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
}

/** Opens what hides the target of a link within the page. */
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const hiding = target?.closest("details");
  if (hiding && !hiding.open) {
    hiding.open = true;
    target.scrollIntoView();
  }
}

document.querySelectorAll(".claims").forEach(filter);
addEventListener("hashchange", reveal);
reveal();
const redraws = []; // of all panels that have been drawn, for a change between light and dark
const BLOCK = JSON.parse(document.getElementById("data").textContent);
const waiting = new Map(
  [...document.querySelectorAll(".panel")].map((root, k) => [root, BLOCK[k]]),
);
// A panel is drawn when it comes near: a page of thirty experiments opens at once.
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
