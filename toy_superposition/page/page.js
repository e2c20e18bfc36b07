"use strict";
// Draws the panels of a page from its data block, and filters its tables of claims.
// A panel is a function (data, root) and a row of PANELS; panels.py says which data each one gets.

const DARK = matchMedia("(prefers-color-scheme: dark)");
const CONFIG = {displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false};
const ABSENT = "#9aa3ab"; // of features that are not represented
const FINE = 24; // most features whose numbers are written beside them
const redraws = []; // of all panels that have been drawn, for a change between light and dark

// ---- Numbers -------------------------------------------------------------------------------

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

const split = (flat, n) => Array.from({length: flat.length / n}, (_, k) => flat.slice(k * n, k * n + n));
const range = (n) => Array.from({length: n}, (_, k) => k);
const show = (x, digits = 4) => (x === null || x === undefined ? "–" : String(Number(x.toPrecision(digits))));
const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;"); // for plotly's text
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Returns WᵀW and each feature's norm, superposition and dimensionality, as the paper defines them. */
function measures(W) {
  const n = W[0].length, gram = range(n).map(() => new Array(n).fill(0));
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
  const far = values.map((value) => Math.abs(Math.log(value / wanted)));
  return far.indexOf(Math.min(...far));
}

// ---- Elements ------------------------------------------------------------------------------

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
  const numeric = axis.slider ?? typeof axis.values[0] === "number";
  const input = numeric
    ? element("input", {type: "range", min: 0, max: axis.values.length - 1, step: 1})
    : element("select", {}, ...axis.values.map((value, k) => element("option", {value: k}, value)));
  const say = () => {
    input.value = index;
    const words = text(axis.values[index]);
    output.textContent = numeric ? words : "";
    if (numeric) input.setAttribute("aria-valuetext", words);
  };
  const set = (k) => { index = k; say(); change(); };
  input.dataset.axis = axis.name;
  input.addEventListener("input", () => set(Number(input.value)));
  const label = element("label", {}, element("span", {class: "name"}, axis.label, output), input);
  say();
  return {label, set, say, get index() { return index; }, axis};
}

/**
 * Returns the controls of all axes, and which point of their product they choose.
 * `texts` are functions (value, index of the point) → text, for axes that need one.
 */
function choosers(axes, change, texts = {}) {
  const each = [];
  const index = () => each.reduce((k, one) => k * one.axis.values.length + one.index, 0);
  const say = (name) => (value) => (texts[name] && each.length === axes.length ? texts[name](value, index()) : plain(value));
  for (const axis of axes) each.push(chooser(axis, change, say(axis.name)));
  const row = element("div", {class: "controls"});
  row.append(...each.filter((one) => one.axis.values.length > 1).map((one) => one.label));
  const text = (one) => `${one.axis.name.replace(/_/g, " ")} ${say(one.axis.name)(one.axis.values[one.index])}`;
  return {
    row,
    get index() { return index(); },
    of: (name) => each.find((one) => one.axis.name === name),
    say: () => each.forEach((one) => one.say()),
    text: () => each.map(text).join(", "),
  };
}

/** Returns how the place of a restart is written: its number in the run, and its place by loss. */
const ranked = (data) => ({restart: (place, k) =>
  `${data.restart[k]} (${place} of ${data.axes.find((axis) => axis.name === "restart").size} by loss)`});

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
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font, showlegend: false,
        margin: {l: 52, r: 16, t: 34, b: 46}, dragmode: false, hovermode: "closest",
        hoverlabel: {bgcolor: ink("--soft"), bordercolor: ink("--line"), font}, bargap: 0.15,
      };
      const title = {text: layout.title ?? "", font: {size: 14}, x: 0.02, xanchor: "left"};
      return Plotly.react(div, traces, {...common, ...layout, title}, CONFIG);
    },
  };
}

const scale = (title, more = {}) => ({
  title: {text: title, standoff: 6}, gridcolor: ink("--line"), zerolinecolor: ink("--line"),
  linecolor: ink("--line"), tickcolor: ink("--line"), automargin: true, fixedrange: true, ...more,
});
const bare = (more = {}) => scale("", {showgrid: false, zeroline: false, showline: false, showticklabels: false, ticks: "", ...more});
const empty = (text) => ({
  xaxis: bare(), yaxis: bare(),
  annotations: [{text, showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5}],
});

// ---- Feature geometry, and the same during training ----------------------------------------

const NUMBERS =
  "feature %{customdata[0]}: %{customdata[6]}<br>importance %{customdata[1]:.4~g}" +
  "<br>density %{customdata[2]:.4~g}<br>norm %{customdata[3]:.4f}" +
  "<br>dimensionality %{customdata[4]:.4f}<br>superposition %{customdata[5]:.4f}<extra></extra>";

/** Returns lines and points of features as arrows from the origin, in 1, 2 or 3 dimensions. */
function arrows(W, colours, more) {
  const n = W[0].length, m = W.length;
  const coordinates = m === 1 ? [W[0], range(n)] : W;
  const from = (axis, i) => (m === 1 && axis === 1 ? i : 0);
  const type = m === 3 ? "scatter3d" : "scatter";
  const named = (list) => Object.fromEntries(["x", "y", "z"].slice(0, list.length).map((x, k) => [x, list[k]]));
  const lines = [...new Set(colours)].map((colour) => {
    const chosen = range(n).filter((i) => colours[i] === colour);
    const strokes = coordinates.map((x, axis) => chosen.flatMap((i) => [from(axis, i), x[i], null]));
    return {type, mode: "lines", ...named(strokes), line: {color: colour, width: m === 3 ? 5 : 2.5}, hoverinfo: "skip"};
  });
  const points = {
    type, name: "features", ...named(coordinates), mode: n <= FINE ? "markers+text" : "markers",
    text: range(n).map(String), textposition: "top center",
    marker: {color: colours, size: m === 3 ? 6 : 11}, hovertemplate: NUMBERS, ...more,
  };
  const limit = Math.max(1.25, 1.15 * Math.max(...W.flat().map(Math.abs)));
  const sides = {range: [-limit, limit], zeroline: true};
  if (m === 3) {
    const side = scale("", {...sides, backgroundcolor: "rgba(0,0,0,0)", showticklabels: false, showspikes: false, dtick: 1});
    const named3 = (text) => ({...side, title: {text}});
    const scene = {xaxis: named3("h₀"), yaxis: named3("h₁"), zaxis: named3("h₂"), aspectmode: "cube", dragmode: "orbit", uirevision: "same",
      camera: {eye: {x: 1.15, y: 0.95, z: 0.65}}};
    return {traces: [...lines, points], layout: {scene, margin: {l: 0, r: 0, t: 34, b: 0}}};
  }
  if (m === 1) {
    const yaxis = scale("feature", {range: [n - 0.4, -0.8], dtick: 1, zeroline: false});
    return {traces: [...lines, points], layout: {xaxis: scale("weight W", sides), yaxis}};
  }
  const square = {xaxis: scale("h₀", {...sides, dtick: 1}), yaxis: scale("h₁", {...sides, dtick: 1, scaleanchor: "x"})};
  return {traces: [...lines, points], layout: square};
}

/** Returns the graph of features: edges as strong as the inner product, components apart. */
function graph(gram, component, places, colours, more) {
  const shown = range(gram.length).filter((i) => places[i][0] !== null);
  const strengths = [[0.02, 0.25], [0.25, 0.6], [0.6, Infinity]];
  const lines = strengths.map(([low, high], k) => {
    const x = [], y = [];
    shown.forEach((i, a) => shown.slice(a + 1).forEach((j) => {
      const strength = Math.abs(gram[i][j]);
      if (component[i] === component[j] && strength > low && strength <= high) {
        x.push(places[i][0], places[j][0], null);
        y.push(places[i][1], places[j][1], null);
      }
    }));
    return {mode: "lines", x, y, hoverinfo: "skip", line: {color: ink("--faint"), width: 0.6 + 0.8 * k}, opacity: 0.25 + 0.3 * k};
  });
  const points = {
    name: "features", x: places.map((at) => at[0]), y: places.map((at) => at[1]),
    mode: gram.length <= FINE ? "markers+text" : "markers", text: range(gram.length).map(String),
    textposition: "middle right", marker: {color: colours, size: gram.length <= 100 ? 10 : 6},
    hovertemplate: NUMBERS, ...more,
  };
  return {traces: [...lines, points], layout: {xaxis: bare(), yaxis: bare({scaleanchor: "x"}), margin: {l: 12, r: 12, t: 34, b: 12}}};
}

/** Returns WᵀW as a heat map, with the bias as a column of its own on the right. */
function products(gram, b, order) {
  const names = order.map(String), few = order.length <= FINE;
  const colorscale = [[0, ink("--low")], [0.5, ink("--paper")], [1, ink("--high")]];
  const common = {type: "heatmap", y: names, zmin: -1, zmax: 1, colorscale};
  const hover = "W<sub>%{y}</sub> · W<sub>%{x}</sub> = %{z:.4f}<extra></extra>";
  const labels = {type: "category", showticklabels: few, dtick: 1, ticks: "", showgrid: false, zeroline: false, showline: true, mirror: true};
  return {
    traces: [
      {...common, name: "WᵀW", x: names, z: order.map((i) => order.map((j) => gram[i][j])), hovertemplate: hover,
        colorbar: {thickness: 10, tickvals: [-1, 0, 1], ticktext: ["≤ −1", "0", "≥ 1"], outlinewidth: 0, len: 0.6}},
      {...common, name: "bias", x: ["b"], z: order.map((i) => [b[i]]), xaxis: "x2", showscale: false, hovertemplate: "b<sub>%{y}</sub> = %{z:.4f}<extra></extra>"},
    ],
    layout: {
      title: "WᵀW, and the bias b", xaxis: scale("", {...labels, domain: [0, 0.88]}),
      xaxis2: scale("", {...labels, showticklabels: true, domain: [0.92, 1]}),
      yaxis: scale("", {...labels, autorange: "reversed"}), margin: {l: 30, r: 8, t: 34, b: 30},
    },
  };
}

/** Returns the components of a model in words and colours. */
function components(kinds, component, colours) {
  const counts = new Map();
  kinds.forEach((kind, k) => counts.set(kind, [...(counts.get(kind) ?? []), k]));
  const named = {dedicated: "dedicated feature", unknown: "component without a name"};
  const items = [...counts].map(([kind, numbers]) => {
    const members = numbers.map((k) => component.flatMap((c, i) => (c === k ? [i] : [])));
    const which = members.flat().length <= 12 ? ` (${members.map((one) => one.join(" ")).join("; ")})` : "";
    return {colour: colours[kind], text: plural(numbers.length, named[kind] ?? kind) + which};
  });
  const absent = component.flatMap((c, i) => (c < 0 ? [i] : []));
  if (absent.length) {
    const which = absent.length <= 12 ? ` (${absent.join(", ")})` : "";
    items.push({colour: ABSENT, text: `${absent.length} not represented${which}`});
  }
  return items;
}

/** Draws the trained models of a sweep, and during training where there is an axis of steps. */
function explorer(data, root) {
  const [, m, n] = data.W.shape;
  const row = Object.fromEntries(["W", "b", "importance", "density", "component", "places"]
    .filter((name) => data[name]).map((name) => [name, unpack(data[name])]));
  const controls = choosers(data.axes, draw, ranked(data));
  const said = element("p", {class: "said"}), legend = element("ul", {class: "legend"});
  const plots = element("div", {class: "plots"});
  const numbers = listing(["feature", "component", "importance", "density", "norm", "dimensionality", "superposition", "bias"]);
  root.append(controls.row, element("div", {"aria-live": "polite"}, said, legend), plots, numbers.details);
  const steps = controls.of("step");
  const curve = steps ? plot(plots, "full") : null;
  const space = plot(plots), heat = plot(plots);
  if (steps) controls.row.append(player(steps));

  function draw() {
    const k = controls.index;
    controls.say(); // the number of a restart depends on the other sliders
    const flat = row.W(k), b = row.b(k);
    const where = controls.text() || "the trained model";
    tell();
    if (steps) drawCurve(k, where);
    if (flat.includes(null)) {
      said.textContent = `${where}: this model is not finite.`;
      legend.replaceChildren();
      numbers.fill([]);
      [space, heat].forEach((one) => one.draw([], empty("not finite"), "a model that is not finite"));
      return;
    }
    const W = split(flat, n), all = measures(W), component = row.component(k), kinds = data.kinds[k];
    const importance = row.importance(k), density = row.density(k);
    const colours = component.map((c) => (c < 0 ? ABSENT : data.colours[kinds[c]]));
    const customdata = range(n).map((i) => [i, importance[i], density[i], all.norm[i],
      all.dimensionality[i], all.superposition[i], component[i] < 0 ? "not represented" : kinds[component[i]]]);
    numbers.fill(customdata.map((row, i) => [row[0], row[6], ...row.slice(1, 6), b[i]]));
    const items = components(kinds, component, data.colours);
    const solid = data.solids?.[k], together = solid && !solid.includes("⊕") ? `; together: ${solid}` : "";
    said.textContent = `${where}: loss ${show(data.loss[k])}${together}`;
    const summary = `${said.textContent}; ${items.map((item) => item.text).join("; ")}`;
    legend.replaceChildren(...items.map((item) =>
      element("li", {}, element("span", {class: "swatch", style: `background:${item.colour}`}), item.text)));
    const drawn = m <= 3 ? arrows(W, colours, {customdata})
      : graph(all.gram, component, split(row.places(k), 2), colours, {customdata});
    const title = m <= 3 ? "feature directions W" : "who shares a dimension with whom";
    space.draw(drawn.traces, {...drawn.layout, title, uirevision: "same"}, `${title}; ${summary}`);
    const alike = importance.every((x) => x === importance[0]) && m > 3;
    const rank = component.map((c) => (c < 0 ? Infinity : c));
    const many = alike && n > FINE && kinds.length > 0; // absent features would fill the picture
    const shown = range(n).filter((i) => !many || component[i] >= 0);
    const order = alike ? shown.sort((i, j) => rank[i] - rank[j] || i - j) : shown;
    const matrix = products(all.gram, b, order);
    if (many) matrix.layout.title = "WᵀW and bias b of represented features";
    heat.draw(matrix.traces, matrix.layout, `inner products of features; ${summary}`);
  }

  function drawCurve(k, where) {
    const first = k - steps.index, x = steps.axis.values, y = data.loss.slice(first, first + x.length);
    const log = x.at(-1) > 2 * x.length * x[1], place = (step) => (log ? Math.max(step, 0.5) : step);
    const known = y.filter((loss) => loss > 0), far = Math.max(...known) > 5 * Math.min(...known);
    const at = {x: [place(x[steps.index])], y: [data.loss[k]], mode: "markers", name: "now",
      marker: {size: 13, color: ink("--high")}, hoverinfo: "skip"};
    const line = {x: x.map(place), y, mode: "lines+markers", name: "loss", line: {color: ink("--accent"), width: 2},
      marker: {size: 4}, customdata: x, hovertemplate: "step %{customdata}: loss %{y:.4~g}<extra></extra>"};
    curve.draw([line, at], {title: "loss during training", 
      xaxis: log ? scale("training step, 0 at the left end", {type: "log", dtick: 1, exponentformat: "none"}) : scale("training step"),
      yaxis: scale("loss", {type: far ? "log" : "linear"})}, `loss during training; ${where}: ${show(data.loss[k])}`);
  }

  const tell = link(root, controls.of("density"));
  draw();
  curve?.div.on("plotly_click", (event) => steps.set(event.points[0].pointIndex));
  return draw;
}

/** Returns a table that is closed at first, and a way to fill it with what pointing also shows. */
function listing(head) {
  const body = element("tbody");
  let rows = [];
  const write = () => {
    if (!details.open) return;
    const cell = (value) => element("td", {}, typeof value === "number" ? show(value) : value ?? "–");
    body.replaceChildren(...rows.map((row) => element("tr", {}, ...row.map(cell))));
  };
  const titles = element("thead", {}, element("tr", {}, ...head.map((name) => element("th", {scope: "col"}, name))));
  const region = element("div", {class: "wide", role: "region", tabindex: 0, "aria-label": "numbers of every feature"}, element("table", {}, titles, body));
  const details = element("details", {toggle: () => write()}, element("summary", {}, "Numbers of every feature"), region);
  return {details, fill: (list) => { rows = list; write(); }};
}

/** Returns a button that moves a slider from its first point to its last. */
function player(control) {
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; button.textContent = "Play"; };
  const button = element("button", {type: "button", click: () => {
    if (timer !== null) return stop();
    const last = control.axis.values.length - 1;
    if (control.index === last) control.set(0);
    button.textContent = "Stop";
    timer = setInterval(() => (control.index < last ? control.set(control.index + 1) : stop()), 150);
  }}, "Play");
  return button;
}

/**
 * Keeps the density of a run's panels the same: returns a function that tells the others of this
 * one's, and lets theirs set this one's.
 */
function link(root, control) {
  const section = root.closest(".run");
  if (!section || !control) return () => {};
  let heard = false;
  section.addEventListener("density", ({detail}) => {
    if (detail.from === root) return;
    heard = true;
    control.set(nearest(control.axis.values, detail.density));
    heard = false;
  });
  return () => {
    const density = control.axis.values[control.index];
    if (!heard) section.dispatchEvent(new CustomEvent("density", {detail: {from: root, density}}));
  };
}

// ---- Phase diagram -------------------------------------------------------------------------

/** Returns where round numbers lie on an axis of cells with these values, and their names. */
function ticks(values) {
  const logs = values.map(Math.log), tickvals = [], ticktext = [];
  const place = (x) => {
    for (let k = 0; k + 1 < logs.length; k++) {
      const part = (x - logs[k]) / (logs[k + 1] - logs[k]);
      if (part >= -1e-4 && part <= 1.0001) return k + part;
    }
    return null;
  };
  for (const value of [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]) {
    const at = place(Math.log(value));
    if (at !== null) { tickvals.push(at); ticktext.push(String(value)); }
  }
  return {tickmode: "array", tickvals, ticktext};
}

/** Draws maps over relative importance and density, and the solution in a chosen cell. */
function phases(data, root) {
  const {r, p, maps} = data;
  const maps2 = maps.map((map) => ({...map,
    ...Object.fromEntries(["colours", "phase", "W", "b", "solution"].filter((name) => map[name]).map((name) => [name, unpack(map[name])]))}));
  const map = chooser({name: "map", label: "map", values: maps.map((one) => one.name), start: data.start}, draw);
  const centre = (values, wanted) => nearest(values, wanted);
  const column = chooser({name: "relative_importance", label: "relative importance r", values: r, start: centre(r, 0.3)}, draw);
  const line = chooser({name: "density", label: "density p = 1 − S", values: p, start: centre(p, 0.15)}, draw);
  const said = element("p", {class: "said", "aria-live": "polite"});
  const table = element("div", {class: "cell", role: "region", tabindex: 0, "aria-label": "the chosen cell"});
  const plots = element("div", {class: "plots"});
  root.append(element("div", {class: "controls"}, map.label, column.label, line.label), said, plots, table);
  const plane = plot(plots), space = plot(plots);
  const cell = (i, j) => i * p.length + j;
  const phase = (one, k) => data.phases.at(one.phase(k)[0]);
  const verdict = (one, k) => phase(one, k) + (one.solution ? ` (${one.solutions[one.solution(k)[0]].replace(/_/g, " ")})` : "");
  const side = (values, more) => scale("", {...ticks(values), showgrid: false, zeroline: false,
    range: values[0] < values.at(-1) ? [-0.5, values.length - 0.5] : [values.length - 0.5, -0.5], ...more});

  function draw() {
    const one = maps2[map.index], i = column.index, j = line.index;
    const z = p.map((_, b) => r.map((_, a) => one.colours(cell(a, b)).map(Math.round)));
    const text = p.map((_, b) => r.map((_, a) => {
      const k = cell(a, b);
      const numbers = ["norm", "superposition", "loss"].filter((name) => one[name]).map((name) => `${name} ${show(one[name][k])}`);
      return [`r = ${show(r[a], 3)}, p = ${show(p[b], 3)}`, safe(verdict(one, k)), ...numbers].join("<br>");
    }));
    const traces = [{type: "image", name: one.name, z, text, hovertemplate: "%{text}<extra></extra>"}];
    if (data.boundary) traces.push({x: range(r.length), y: data.boundary, mode: "lines", hoverinfo: "skip",
      name: "boundary", line: {color: "#000", width: 2, dash: "dash"}});
    traces.push({x: [i], y: [j], mode: "markers", hoverinfo: "skip", name: "cell",
      marker: {symbol: "square-open", size: 15, color: "#000", line: {width: 3}}});
    const different = one.differs === undefined ? "" : `; ${plural(one.differs, "cell")} of ${r.length * p.length} differ`;
    plane.draw(traces, {title: safe(one.name) + different, uirevision: "same",
      xaxis: side(r, {title: {text: "relative importance r"}, constrain: "domain"}),
      yaxis: side(p, {title: {text: "density p = 1 − S"}, scaleanchor: "x", constrain: "domain"})},
    `map of phases: ${one.name}${different}`);
    tell(i, j);
  }

  /** Shows one cell: a table of all maps, the solution as arrows, and a sentence. */
  function tell(i, j) {
    const k = cell(i, j), current = maps2[map.index];
    said.textContent = `r = ${show(r[i], 3)}, p = ${show(p[j], 3)}: ` +
      (current.differs === undefined ? `${current.name}: ${verdict(current, k)}`
        : `trained ${phase(current, k)}, true optimum ${phase(maps2[1], k)}`) + ".";
    const shown = maps2.filter((one) => one.differs === undefined);
    const head = ["map", "extra feature", "norm", "superposition", "loss"];
    table.replaceChildren(element("table", {}, element("caption", {}, `In this cell: r = ${show(r[i], 3)}, p = ${show(p[j], 3)}`),
      element("thead", {}, element("tr", {}, ...head.map((name) => element("th", {scope: "col"}, name)))),
      element("tbody", {}, ...shown.map((one) => element("tr", {},
        ...[one.name, verdict(one, k), show(one.norm?.[k]), show(one.superposition?.[k]), show(one.loss?.[k])]
          .map((value) => element("td", {}, value)))))));
    const solved = current.W && maps2.length > 5 ? [current] : shown.filter((one) => one.W).slice(0, 2);
    const styles = [{size: 17, symbol: "circle-open", line: {width: 2.5}}, {size: 9, symbol: "circle"}];
    const colours = [ink("--faint"), ink("--accent")], traces = [];
    let layout = empty("no weights");
    solved.forEach((one, which) => {
      const flat = one.W(k), style = solved.length === 1 ? 1 : which;
      if (flat.includes(null)) return;
      const W = split(flat, one_n(one)), b = one.b(k);
      const marker = {...styles[style], color: colours[style]};
      const customdata = range(W[0].length).map((f) => [f, b[f]]);
      const drawn = arrows(W, W[0].map(() => colours[style]), {marker, name: one.name, customdata,
        hovertemplate: `feature %{customdata[0]} (${safe(one.name)})<br>bias %{customdata[1]:.4f}<extra></extra>`});
      if (style === 1) drawn.traces.at(-1).text = W[0].map((_, f) => (f === W[0].length - 1 ? `${f} extra` : String(f)));
      else drawn.traces.at(-1).mode = "markers";
      traces.push(...drawn.traces);
      layout = drawn.layout;
    });
    const title = solved.length > 1 ? "weights: trained (dots), optimum (rings, turned)" : "weights of the best restart";
    space.draw(traces, {...layout, title}, `${title}; ${said.textContent}`);
  }
  const one_n = (one) => data.maps.find((raw) => raw.name === one.name).W.shape[2];

  draw();
  const at = (event) => event.points.find((point) => point.data.type === "image");
  plane.div.on("plotly_hover", (event) => { const point = at(event); if (point) tell(point.x, point.y); });
  plane.div.on("plotly_unhover", () => tell(column.index, line.index));
  plane.div.on("plotly_click", (event) => {
    const point = at(event);
    if (point) { column.set(point.x); line.set(point.y); }
  });
  return draw;
}

// ---- Dimensionality over density -----------------------------------------------------------

/** Draws D* with its spread and every D_i over 1/(1 − S), with the fractions of regular solids. */
function dimensionality(data, root) {
  const {density, whole, guides} = data, D = unpack(data.D), size = data.D.shape[1];
  const choice = chooser({name: "density", label: "density p = 1 − S", values: density, start: 0}, move);
  const said = element("p", {class: "said", "aria-live": "polite"});
  const plots = element("div", {class: "plots"});
  root.append(element("div", {class: "controls"}, choice.label), said, plots);
  const both = plot(plots, "full tall");
  const x = density.map((p) => 1 / p);
  const known = whole.map((row) => row.filter((value) => value !== null));
  const mean = known.map((row) => (row.length ? row.reduce((a, b) => a + b, 0) / row.length : null));
  const step = x.length > 1 ? Math.abs(Math.log(x.at(-1) / x[0])) / (x.length - 1) : 0;
  // Features of equal D would hide one another: each is moved sideways, always alike.
  const apart = (i) => Math.exp(0.7 * step * (((i * 0.618034) % 1) - 0.5));

  const tell = link(root, choice);
  const line = (k) => ({type: "line", yref: "paper", y0: 0, y1: 1, x0: x[k], x1: x[k], line: {color: ink("--high"), width: 2}});

  function move() {
    tell();
    say();
    Plotly.relayout(both.div, {[`shapes[${Object.keys(guides).length}]`]: line(choice.index)});
  }
  function say() {
    const k = choice.index, inRow = known[k];
    const spread = inRow.length > 1 ? ` (${show(Math.min(...inRow), 3)} to ${show(Math.max(...inRow), 3)} over ${inRow.length} restarts)` : "";
    said.textContent = `density ${show(density[k])}, 1/(1 − S) = ${show(x[k])}: D* = ${show(mean[k], 3)} hidden dimensions per feature${spread}.`;
  }
  function draw() {
    say();
    const edge = (which) => known.map((row) => (row.length ? which(...row) : null));
    const accent = ink("--accent"), hidden = {line: {width: 0}, mode: "lines", hoverinfo: "skip"};
    const points = density.map((_, a) => D(a));
    const traces = [
      {...hidden, x, y: edge(Math.min), name: "least"},
      {...hidden, x, y: edge(Math.max), name: "most", fill: "tonexty", fillcolor: DARK.matches ? "rgba(138,184,240,.25)" : "rgba(11,87,176,.2)"},
      {x, y: mean, name: "D*", mode: "lines+markers", line: {color: accent, width: 2}, marker: {size: 5}, customdata: density,
        hovertemplate: "p = %{customdata:.4~g}<br>D* = %{y:.4f}<extra></extra>"},
      {x: points.flatMap((row, a) => row.map((_, i) => x[a] * apart(i))), y: points.flat(), name: "D_i", yaxis: "y2", mode: "markers",
        customdata: points.flatMap((row, a) => row.map(() => density[a])), marker: {size: 3.5, color: accent, opacity: 0.55},
        hovertemplate: "p = %{customdata:.4~g}<br>D_i = %{y:.4f}<extra></extra>"},
    ];
    const guide = (y, ref) => ({type: "line", xref: "paper", x0: 0, x1: 1, yref: ref, y0: y, y1: y, line: {color: ink("--faint"), width: 1, dash: "dot"}});
    const names = Object.entries(guides), narrow = both.div.clientWidth < 600;
    both.draw(traces, {
      title: narrow ? "D* above, dimensionalities below" : "D* = m / ‖W‖² above, dimensionality of each feature below",
      xaxis: scale("1 / (1 − S)", {type: "log", anchor: "y2", tickvals: [1, 1.5, 2, 3, 4, 5, 7, 10, 20, 50, 100, 200, 500, 1000]}),
      yaxis: scale("D*", {domain: [0.68, 1], rangemode: "tozero"}),
      yaxis2: scale("dimensionality D<sub>i</sub>", {domain: [0, 0.6], range: [-0.04, 1.08]}),
      shapes: [...names.map(([, y]) => guide(y, "y2")), line(choice.index)], margin: {l: 56, r: narrow ? 34 : 130, t: 40, b: 46},
      annotations: names.map(([name, y]) => ({text: narrow ? name.split(" ")[0] : name, x: 1.01, xref: "paper", xanchor: "left", y, yref: "y2",
        yanchor: name.startsWith("3/8") ? "top" : name.startsWith("2/5") ? "bottom" : "middle", showarrow: false, font: {size: 11}})),
    }, `hidden dimensions per feature, and dimensionalities, over density; ${said.textContent}`);
  }
  draw();
  both.div.on("plotly_click", (event) => choice.set(nearest(density, event.points[0].customdata)));
  return draw;
}

// ---- Neurons -------------------------------------------------------------------------------

const TEN = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"];
const hues = (n) => range(n).map((i) => (n <= 10 ? TEN[i] : `hsl(${Math.round((360 * i) / n)},60%,${i % 2 ? 62 : 48}%)`));
const SEEN = 0.004; // least weight that has a box
const WIDE = 0.1; // least weight, relative to the neuron's largest, that has a line in its circuit
const MOST_LINES = 8; // features in a circuit

/** Draws the weights into hidden neurons as stacks, and the circuit of one neuron or motif. */
function neurons(data, root) {
  const [, m, n] = data.W1.shape;
  const input = unpack(data.W1), output = data.W2 ? unpack(data.W2) : null, colours = hues(n);
  const controls = choosers(data.axes, changed, ranked(data));
  const select = element("select", {"data-axis": "neuron", input: draw});
  controls.row.append(element("label", {}, element("span", {class: "name"}, "circuit of"), select));
  const said = element("p", {class: "said", "aria-live": "polite"});
  const plots = element("div", {class: "plots"});
  root.append(controls.row, said, plots);
  const stacks = plot(plots), circuit = plot(plots);

  function changed() { offer(); draw(); }
  function offer() {
    const motifs = data.motifs?.[controls.index] ?? [];
    const options = motifs.map(([neuron, first, second, guard]) => [[neuron, guard],
      `motif: neuron ${neuron} stores features ${first} and ${second}, neuron ${guard} silences ${second}`]);
    range(m).forEach((k) => options.push([[k], `neuron ${k}`]));
    const before = select.value;
    select.replaceChildren(...options.map(([which, text]) => element("option", {value: which.join()}, text)));
    if (!motifs.length && [...select.options].some((option) => option.value === before)) select.value = before;
  }
  function draw() {
    const k = controls.index, flat = input(k);
    controls.say();
    const where = controls.text() || "the trained model";
    if (flat.includes(null)) {
      said.textContent = `${where}: this model is not finite.`;
      [stacks, circuit].forEach((one) => one.draw([], empty("not finite"), "a model that is not finite"));
      return;
    }
    const W1 = split(flat, n), W2 = output ? split(output(k), m) : range(n).map((i) => W1.map((row) => row[i]));
    const chosen = select.value.split(",").map(Number);
    const alone = W1.filter((row) => {
      const squares = row.map((w) => w * w), sum = squares.reduce((a, b) => a + b, 0);
      return sum > 0 && Math.max(...squares) > 0.9 * sum;
    }).length;
    said.textContent = `${where}: loss ${show(data.loss[k])}; ${alone} of ${plural(m, "neuron")} ${alone === 1 ? "stands" : "stand"} for one feature.`;
    const boxes = {type: "bar", name: "weights", x: [], y: [], base: [], customdata: [], marker: {color: [], line: {width: n <= 20 ? 0.6 : 0, color: ink("--paper")}},
      hovertemplate: "neuron %{x}<br>feature %{customdata[0]}<br>weight %{customdata[1]:.4f}<extra></extra>"};
    W1.forEach((row, neuron) => {
      let up = 0, down = 0;
      row.forEach((weight, feature) => {
        if (Math.abs(weight) < SEEN) return;
        boxes.x.push(neuron);
        boxes.base.push(weight < 0 ? down : up);
        boxes.y.push(weight);
        boxes.marker.color.push(colours[feature]);
        boxes.customdata.push([feature, weight]);
        if (weight < 0) down += weight; else up += weight;
      });
    });
    const marks = chosen.map((c) => ({type: "rect", x0: c - 0.5, x1: c + 0.5, yref: "paper", y0: 0, y1: 1, layer: "below", line: {width: 0}, fillcolor: ink("--soft")}));
    stacks.draw([boxes], {title: "weights into each neuron, a colour per feature", barmode: "overlay", shapes: marks,
      xaxis: scale("neuron", {dtick: m <= 20 ? 1 : 5, showgrid: false}), yaxis: scale(data.scaled ? "weight, largest = 1" : "weight")},
    `weights into each neuron, stacked; ${said.textContent}`);
    drawCircuit(W1, W2, chosen);
  }
  function drawCircuit(W1, W2, chosen) {
    const strength = range(n).map((i) => Math.max(...chosen.map((c) => Math.abs(W1[c][i]) / Math.max(...W1[c].map(Math.abs), 1e-9))));
    const features = range(n).filter((i) => strength[i] > WIDE).sort((i, j) => strength[j] - strength[i]).slice(0, MOST_LINES).sort((i, j) => i - j);
    const height = (k, count) => (count > 1 ? 0.5 - k / (count - 1) : 0);
    const traces = [], words = {mode: "text", x: [], y: [], text: [], textfont: {size: 11, color: []}, hoverinfo: "skip"};
    const join = (x0, y0, x1, y1, weight, from, to, at) => {
      if (Math.abs(weight) < 0.03) return;
      const color = weight > 0 ? ink("--high") : ink("--low");
      traces.push({x: [x0, (x0 + x1) / 2, x1], y: [y0, (y0 + y1) / 2, y1], mode: "lines", line: {color, width: Math.min(1 + 3 * Math.sqrt(Math.abs(weight)), 9)}, opacity: 0.75,
        hovertemplate: `${from} → ${to}: ${show(weight)}<extra></extra>`});
      words.x.push(x0 + at * (x1 - x0)); words.y.push(y0 + at * (y1 - y0) + 0.035);
      words.text.push(show(weight, 2)); words.textfont.color.push(ink("--ink"));
    };
    chosen.forEach((c, k) => {
      const y = height(k, chosen.length) * 0.7;
      features.forEach((i, a) => {
        const place = height(a, features.length);
        join(0, place, 1, y, W1[c][i], `feature ${i}`, `neuron ${c}`, 0.2 + 0.18 * k);
        join(1, y, 2, place, W2[i][c], `neuron ${c}`, `output ${i}`, 0.8 - 0.18 * k);
      });
    });
    const nodes = (x, list, y, text, more) => ({x: list.map(() => x), y: list.map((_, k) => y(k)), text, mode: "markers+text", hoverinfo: "skip", cliponaxis: false, ...more});
    if (words.x.length > 12) words.text = []; // too many to read; pointing at a line tells
    const dots = {size: 13, color: features.map((i) => colours[i])}, high = (k) => height(k, features.length);
    traces.push(words, nodes(0, features, high, features.map((i) => `x<sub>${i}</sub>`), {marker: dots, textposition: "middle left"}),
      nodes(2, features, high, features.map((i) => `${data.scaled ? "|x|" : "x′"}<sub>${i}</sub>`), {marker: dots, textposition: "middle right"}),
      nodes(1, chosen, (k) => height(k, chosen.length) * 0.7, chosen.map(String), {marker: {size: 34, symbol: "square", color: ink("--paper"), line: {color: ink("--ink"), width: 1.5}}, textposition: "middle center"}));
    const title = `${chosen.length > 1 ? "neurons" : "neuron"} ${chosen.join(" and ")}: from features to outputs`;
    circuit.draw(traces, {title, xaxis: bare({range: [-0.4, 2.4]}), yaxis: bare({range: [-0.65, 0.65]}), margin: {l: 8, r: 8, t: 34, b: 8}},
      `${title}; features ${features.join(", ")}; red lines are positive weights, blue ones negative`);
  }
  offer();
  draw();
  stacks.div.on("plotly_click", (event) => { select.value = String(event.points[0].x); draw(); });
  return draw;
}

// ---- The page ------------------------------------------------------------------------------

const PANELS = {phases, dimensionality, explorer, dynamics: explorer, neurons};

/** Hides the claims that a form's verdicts and word leave out. */
function filter(claims) {
  const form = claims.querySelector("form"), rows = [...claims.querySelectorAll("tbody tr")];
  const word = form.querySelector("[type=search]"), output = form.querySelector("output");
  const apply = () => {
    const verdicts = new Set([...form.querySelectorAll(":checked")].map((box) => box.value));
    const wanted = word.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !verdicts.has(row.dataset.verdict) || !row.textContent.toLowerCase().includes(wanted);
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
  if (hiding && !hiding.open) { hiding.open = true; target.scrollIntoView(); }
}

document.querySelectorAll(".claims").forEach(filter);
addEventListener("hashchange", reveal);
reveal();
const BLOCK = JSON.parse(document.getElementById("data").textContent);
const waiting = new Map([...document.querySelectorAll(".panel")].map((root, k) => [root, BLOCK[k]]));
// A panel is drawn when it comes near: a page of thirty experiments opens at once.
const watch = new IntersectionObserver((entries) => {
  for (const {isIntersecting, target} of entries) {
    if (!isIntersecting || !waiting.has(target)) continue;
    const data = waiting.get(target);
    waiting.delete(target);
    watch.unobserve(target);
    redraws.push(PANELS[data.kind](data, target));
  }
}, {rootMargin: "600px"});
waiting.forEach((_, root) => watch.observe(root));
DARK.addEventListener("change", () => redraws.forEach((redraw) => redraw()));
