// Draws the panels, filters the tables of claims, and opens what a link leads to.
// A panel is a function (data, root) and a row of PANELS; panels.py makes the data.

const PANELS = {phases, dimensionality, explorer, dynamics: explorer, neurons, scores, latents};

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
DARK.addEventListener("change", () => redraws.forEach((redraw) => redraw()));

/** Returns the text that an element holds as gzip in base64. */
function inflated(id) {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** Draws every panel when it comes near the window: a page of thirty experiments opens at once. */
async function start(roots) {
  const block = JSON.parse(await inflated("data"));
  document.head.append(element("script", {}, await inflated("plotly")));
  const waiting = new Map(roots.map((root, k) => [root, block[k]]));
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
  roots.forEach((root) => watch.observe(root));
}

/** Shows the static figures of every run. */
function openFigures() {
  document.querySelectorAll("details:has(> figure)").forEach((figures) => (figures.open = true));
}

/** Says why the panels are empty, and opens the static figures in their place. */
function apologise(reason) {
  const text = `The interactive panels of this page could not be unpacked (${reason}); the static figures are shown.`;
  document.querySelector("header").append(element("p", {class: "note"}, text));
  document.querySelectorAll(".panel").forEach((panel) => panel.remove());
  openFigures();
}

// In a notebook the page is in a frame, which becomes as high as the page.
if (window.frameElement) {
  const page = document.documentElement;
  const fit = () => (window.frameElement.style.height = `${page.offsetHeight + 8}px`);
  new ResizeObserver(fit).observe(page);
}

// Paper has no sliders: it gets the static figures instead of the panels.
addEventListener("beforeprint", openFigures);

const roots = [...document.querySelectorAll(".panel")];
if (roots.length && !("DecompressionStream" in window))
  apologise("it needs Chrome or Edge 80, Firefox 113, Safari 16.4, or a later one");
else if (roots.length) start(roots).catch((error) => apologise(error.message));
