"use strict";
// What all panels use: numbers unpacked and written, elements, controls, plots.

const DARK = matchMedia("(prefers-color-scheme: dark)");
const CONFIG = {displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false};
const ABSENT = "#9aa3ab"; // of features that are not represented
const FINE = 24; // most features whose numbers are written beside them

/** Returns k → row k of a packed array, flat, with null for what is not finite. */
function unpack({shape, scale, int16}) {
  const bytes = Uint8Array.from(atob(int16), (letter) => letter.charCodeAt(0));
  const numbers = new Int16Array(bytes.buffer);
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return (k) => {
    const row = scale.length === 1 ? 0 : k; // rows that are all alike are stored once
    const part = numbers.subarray(row * size, (row + 1) * size);
    return Array.from(part, (x) => (x === -32768 ? null : x * scale[row]));
  };
}

const split = (flat, n) =>
  Array.from({length: flat.length / n}, (_, k) => flat.slice(k * n, k * n + n));
const range = (n) => Array.from({length: n}, (_, k) => k);
const show = (x, digits = 4) =>
  x === null || x === undefined ? "–" : String(Number(x.toPrecision(digits)));
const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;"); // for plotly's text
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Returns WᵀW and each feature's norm, superposition and dimensionality, as the paper defines them. */
function measures(W) {
  const n = W[0].length,
    gram = range(n).map(() => new Array(n).fill(0));
  for (const row of W) {
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) gram[i][j] += row[i] * row[j];
  }
  const norm = gram.map((row, i) => Math.sqrt(Math.max(row[i], 0)));
  const along = gram.map((row, i) => row.map((x) => (norm[i] > 0 ? (x / norm[i]) ** 2 : 0)));
  const all = along.map((row) => row.reduce((a, b) => a + b, 0));
  const superposition = all.map((sum, i) => Math.max(sum - along[i][i], 0));
  const dimensionality = all.map((sum, i) => (sum > 0 ? norm[i] ** 2 / sum : 0));
  return {gram, norm, superposition, dimensionality};
}

/** Returns the index of the value nearest to another on a logarithmic scale. */
function nearest(values, wanted) {
  if (values.includes(wanted)) return values.indexOf(wanted); // 0 has no logarithm
  const far = values.map((value) => Math.abs(Math.log(value / wanted)));
  return far.indexOf(Math.min(...far));
}

/** Returns a new element; strings among its children become text, never markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const plain = (value) => (typeof value === "number" ? show(value) : value);

/** Returns a control over the points of an axis: a slider for numbers, a list for names. */
function chooser(axis, change, text = plain) {
  let index = axis.start;
  const output = element("output");
  const numeric = typeof axis.values[0] === "number";
  const input = numeric
    ? element("input", {type: "range", min: 0, max: axis.values.length - 1, step: 1})
    : element("select", {}, ...axis.values.map((value, k) => element("option", {value: k}, value)));
  const say = () => {
    input.value = index;
    const words = text(axis.values[index]);
    output.textContent = numeric ? words : "";
    if (numeric) input.setAttribute("aria-valuetext", words);
  };
  const begin = (k) => {
    index = k;
    say();
  };
  const set = (k) => {
    begin(k);
    change();
  };
  input.dataset.axis = axis.name;
  input.addEventListener("input", () => set(Number(input.value)));
  const label = element("label", {}, element("span", {class: "name"}, axis.label, output), input);
  say();
  return {
    label,
    begin, // as `set`, before anything is drawn
    set,
    say,
    get index() {
      return index;
    },
    axis,
  };
}

/**
 * Returns the controls of all axes, and which point of their product they choose.
 * `texts` are functions (value, index of the point) → text, for axes that need one.
 */
function choosers(axes, change, texts = {}) {
  const each = [];
  const index = () => each.reduce((k, one) => k * one.axis.values.length + one.index, 0);
  const say = (name) => (value) =>
    texts[name] && each.length === axes.length ? texts[name](value, index()) : plain(value);
  for (const axis of axes) each.push(chooser(axis, change, say(axis.name)));
  const row = element("div", {class: "controls"});
  row.append(...each.filter((one) => one.axis.values.length > 1).map((one) => one.label));
  const text = (one) =>
    `${one.axis.name.replace(/_/g, " ")} ${say(one.axis.name)(one.axis.values[one.index])}`;
  return {
    row,
    get index() {
      return index();
    },
    of: (name) => each.find((one) => one.axis.name === name),
    say: () => each.forEach((one) => one.say()),
    text: () => each.map(text).join(", "),
  };
}

/** Returns how the place of a restart is written: its number in the run, and its place by loss. */
const ranked = (data) => ({
  restart: (place, k) =>
    `${data.restart[k]} (${place} of ${data.axes.find((axis) => axis.name === "restart").size} by loss)`,
});

const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Adds an empty plot and returns it, with a way to fill it that keeps it the same element. */
function plot(parent, kind = "") {
  const div = parent.appendChild(element("div", {class: `plot ${kind}`, role: "img"}));
  return {
    div,
    draw(traces, layout, description) {
      div.setAttribute("aria-label", description);
      const font = {color: ink("--ink"), family: "system-ui, sans-serif", size: 13};
      const common = {
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font,
        showlegend: false,
        margin: {l: 52, r: 16, t: 34, b: 46},
        dragmode: false,
        hovermode: "closest",
        hoverlabel: {bgcolor: ink("--soft"), bordercolor: ink("--line"), font},
        bargap: 0.15,
      };
      const title = {text: layout.title ?? "", font: {size: 14}, x: 0.02, xanchor: "left"};
      return Plotly.react(div, traces, {...common, ...layout, title}, CONFIG);
    },
  };
}

const scale = (title, more = {}) => ({
  title: {text: title, standoff: 6},
  gridcolor: ink("--line"),
  zerolinecolor: ink("--line"),
  linecolor: ink("--line"),
  tickcolor: ink("--line"),
  automargin: true,
  fixedrange: true,
  ...more,
});
const bare = (more = {}) =>
  scale("", {
    showgrid: false,
    zeroline: false,
    showline: false,
    showticklabels: false,
    ticks: "",
    ...more,
  });
const empty = (text) => ({
  xaxis: bare(),
  yaxis: bare(),
  annotations: [{text, showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5}],
});
