// The panel of hidden neurons: weights as stacks, and the circuit of one. Its data: neurons.py.

const TEN = [
  "#1f77b4",
  "#ff7f0e",
  "#2ca02c",
  "#d62728",
  "#9467bd",
  "#8c564b",
  "#e377c2",
  "#7f7f7f",
  "#bcbd22",
  "#17becf",
];
const hues = (n) =>
  range(n).map((i) =>
    n <= 10 ? TEN[i] : `hsl(${Math.round((360 * i) / n)},60%,${i % 2 ? 62 : 48}%)`,
  );
const SEEN = 0.004; // minimum |weight| of a box in a stack
const LINE = 0.03; // minimum |weight| of a line in a circuit
const WIDE = 0.1; // minimum |weight| of a feature in a circuit, relative to the neuron's largest
const MOST_LINES = 8; // features in a circuit

/** Draws the weights into hidden neurons as stacks, and the circuit of one neuron or motif. */
function neurons(data, root) {
  const [, m, n] = data.W1.shape;
  const input = unpack(data.W1),
    output = data.W2 ? unpack(data.W2) : null,
    colours = hues(n);
  const controls = choosers(data.axes, change, ranked(data));
  const select = element("select", {"data-axis": "neuron", input: draw});
  controls.row.append(element("label", {}, element("span", {class: "name"}, "circuit of"), select));
  const status = element("p", {class: "status", "aria-live": "polite"});
  const plots = element("div", {class: "plots"});
  root.append(controls.row, status, plots);
  const stacks = plot(plots),
    circuit = plot(plots);

  function change() {
    offer();
    draw();
  }

  function offer() {
    const motifs = data.motifs?.[controls.index] ?? [];
    const options = motifs.map(([neuron, first, second, guard]) => [
      [neuron, guard],
      `motif: neuron ${neuron} stores features ${first} and ${second}, neuron ${guard} silences ${second}`,
    ]);
    range(m).forEach((k) => options.push([[k], `neuron ${k}`]));
    const before = select.value;
    select.replaceChildren(
      ...options.map(([which, text]) => element("option", {value: which.join()}, text)),
    );
    if (!motifs.length && [...select.options].some((option) => option.value === before))
      select.value = before;
  }

  function draw() {
    const k = controls.index,
      flat = input(k);
    controls.update();
    const where = controls.text() || "the trained model";
    if (flat.includes(null)) {
      status.textContent = `${where}: this model is not finite.`;
      drawNotFinite([stacks, circuit]);
      return;
    }
    const W1 = split(flat, n),
      W2 = output ? split(output(k), m) : range(n).map((i) => W1.map((row) => row[i]));
    const chosen = select.value.split(",").map(Number);
    const counted = monosemantic(data.monosemantic[k], m);
    status.textContent = `${where}: loss ${show(data.loss[k])}; ${counted}.`;
    stacks.draw(
      [stackTrace(W1, colours)],
      {
        title: "weights into each neuron, one colour per feature",
        barmode: "overlay",
        shapes: chosen.map(mark),
        xaxis: scale("hidden neuron", {dtick: m <= 20 ? 1 : 5, showgrid: false}),
        yaxis: scale(data.scaled ? "weights, largest = 1" : "weights of features"),
      },
      `weights into each neuron, stacked; ${status.textContent}`,
    );
    drawCircuit(circuit, W1, W2, chosen, colours, data.scaled);
  }

  offer();
  draw();
  stacks.div.on("plotly_click", (event) => {
    select.value = String(event.points[0].x);
    draw();
  });
  return draw;
}

/** Returns the weights of every neuron as stacked boxes, positive ones upwards from 0. */
function stackTrace(W1, colours) {
  const boxes = {
    type: "bar",
    name: "weights",
    x: [],
    y: [],
    base: [],
    customdata: [],
    marker: {color: [], line: {width: colours.length <= 20 ? 0.6 : 0, color: ink("--paper")}},
    hovertemplate:
      "neuron %{x}<br>feature %{customdata[0]}<br>weight %{customdata[1]:.4f}<extra></extra>",
  };
  W1.forEach((row, neuron) => {
    let up = 0,
      down = 0;
    row.forEach((weight, feature) => {
      if (Math.abs(weight) < SEEN) return;
      boxes.x.push(neuron);
      boxes.base.push(weight < 0 ? down : up);
      boxes.y.push(weight);
      boxes.marker.color.push(colours[feature]);
      boxes.customdata.push([feature, weight]);
      if (weight < 0) down += weight;
      else up += weight;
    });
  });
  return boxes;
}

/** Returns the background of a chosen neuron's stack. */
const mark = (neuron) => ({
  type: "rect",
  x0: neuron - 0.5,
  x1: neuron + 0.5,
  yref: "paper",
  y0: 0,
  y1: 1,
  layer: "below",
  line: {width: 0},
  fillcolor: ink("--soft"),
});

/** Returns the features with the largest weights into the chosen neurons, in their own order. */
function strongest(W1, chosen) {
  const relative = (i, c) => Math.abs(W1[c][i]) / Math.max(...W1[c].map(Math.abs), 1e-9);
  const strength = W1[0].map((_, i) => Math.max(...chosen.map((c) => relative(i, c))));
  return range(strength.length)
    .filter((i) => strength[i] > WIDE)
    .sort((i, j) => strength[j] - strength[i])
    .slice(0, MOST_LINES)
    .sort((i, j) => i - j);
}

/** Draws features, the chosen neurons and outputs from left to right, with the weights as lines. */
function drawCircuit(circuit, W1, W2, chosen, colours, scaled) {
  const features = strongest(W1, chosen);
  const height = (k, count) => (count > 1 ? 0.5 - k / (count - 1) : 0);
  const high = (k) => height(k, features.length);
  const middle = (k) => height(k, chosen.length) * 0.7;
  const lines = [];
  chosen.forEach((c, k) => {
    features.forEach((i, a) => {
      const [into, out] = [W1[c][i], W2[i][c]];
      const [near, far] = [0.2 + 0.18 * k, 0.8 - 0.18 * k]; // where the weights are written
      lines.push([[0, high(a)], [1, middle(k)], into, `feature ${i} → neuron ${c}`, near]);
      lines.push([[1, middle(k)], [2, high(a)], out, `neuron ${c} → output ${i}`, far]);
    });
  });
  const drawn = lines.filter(([, , weight]) => Math.abs(weight) >= LINE);
  const nodes = (x, list, y, text, more) => ({
    x: list.map(() => x),
    y: list.map((_, k) => y(k)),
    text,
    mode: "markers+text",
    hoverinfo: "skip",
    cliponaxis: false,
    ...more,
  });
  const dots = {size: 13, color: features.map((i) => colours[i])};
  const named = (letter) => features.map((i) => `${letter}<sub>${i}</sub>`);
  const square = {
    size: 34,
    symbol: "square",
    color: ink("--paper"),
    line: {color: ink("--ink"), width: 1.5},
  };
  const title = `${chosen.length > 1 ? "neurons" : "neuron"} ${chosen.join(" and ")}: from features to outputs`;
  circuit.draw(
    [
      ...drawn.map(weightLine),
      weightTexts(drawn),
      nodes(0, features, high, named("x"), {marker: dots, textposition: "middle left"}),
      nodes(2, features, high, named(scaled ? "|x|" : "x′"), {
        marker: dots,
        textposition: "middle right",
      }),
      nodes(1, chosen, middle, chosen.map(String), {
        marker: square,
        textposition: "middle center",
      }),
    ],
    {
      title,
      xaxis: bare({range: [-0.4, 2.4]}),
      yaxis: bare({range: [-0.65, 0.65]}),
      margin: {l: 8, r: 8, t: 34, b: 8},
    },
    `${title}; features ${features.join(", ")}; red lines are positive weights, blue ones negative`,
  );
}

/** Returns the line of a weight: red if positive, blue if negative, as wide as it is large. */
const weightLine = ([[x0, y0], [x1, y1], weight, name]) => ({
  x: [x0, (x0 + x1) / 2, x1],
  y: [y0, (y0 + y1) / 2, y1],
  mode: "lines",
  line: {
    color: ink(weight > 0 ? "--high" : "--low"),
    width: Math.min(1 + 3 * Math.sqrt(Math.abs(weight)), 9),
  },
  opacity: 0.75,
  hovertemplate: `${name}: ${show(weight)}<extra></extra>`,
});

/** Returns the weights written beside their lines; if they are too many to read, only as hover. */
const weightTexts = (lines) => ({
  mode: "text",
  x: lines.map(([[x0], [x1], , , at]) => x0 + at * (x1 - x0)),
  y: lines.map(([[, y0], [, y1], , , at]) => y0 + at * (y1 - y0) + 0.035),
  text: lines.length > 12 ? [] : lines.map(([, , weight]) => show(weight, 2)),
  textfont: {size: 11, color: lines.map(() => ink("--ink"))},
  hoverinfo: "skip",
});
