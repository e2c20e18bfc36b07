// The panel of hidden neurons: weights as stacks, and the circuit of one. Its data: models.py.

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
const SEEN = 0.004; // least weight that has a box
const WIDE = 0.1; // least weight, relative to the neuron's largest, that has a line in its circuit
const MOST_LINES = 8; // features in a circuit

/** Draws the weights into hidden neurons as stacks, and the circuit of one neuron or motif. */
function neurons(data, root) {
  const [, m, n] = data.W1.shape;
  const input = unpack(data.W1),
    output = data.W2 ? unpack(data.W2) : null,
    colours = hues(n);
  const controls = choosers(data.axes, changed, ranked(data));
  const select = element("select", {"data-axis": "neuron", input: draw});
  controls.row.append(element("label", {}, element("span", {class: "name"}, "circuit of"), select));
  const said = element("p", {class: "said", "aria-live": "polite"});
  const plots = element("div", {class: "plots"});
  root.append(controls.row, said, plots);
  const stacks = plot(plots),
    circuit = plot(plots);

  function changed() {
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
    controls.say();
    const where = controls.text() || "the trained model";
    if (flat.includes(null)) {
      said.textContent = `${where}: this model is not finite.`;
      [stacks, circuit].forEach((one) =>
        one.draw([], empty("not finite"), "a model that is not finite"),
      );
      return;
    }
    const W1 = split(flat, n),
      W2 = output ? split(output(k), m) : range(n).map((i) => W1.map((row) => row[i]));
    const chosen = select.value.split(",").map(Number);
    const alone = W1.filter((row) => {
      const squares = row.map((w) => w * w),
        sum = squares.reduce((a, b) => a + b, 0);
      return sum > 0 && Math.max(...squares) > 0.9 * sum;
    }).length;
    said.textContent = `${where}: loss ${show(data.loss[k])}; ${alone} of ${plural(m, "neuron")} ${alone === 1 ? "stands" : "stand"} for one feature.`;
    const boxes = {
      type: "bar",
      name: "weights",
      x: [],
      y: [],
      base: [],
      customdata: [],
      marker: {color: [], line: {width: n <= 20 ? 0.6 : 0, color: ink("--paper")}},
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
    const marks = chosen.map((c) => ({
      type: "rect",
      x0: c - 0.5,
      x1: c + 0.5,
      yref: "paper",
      y0: 0,
      y1: 1,
      layer: "below",
      line: {width: 0},
      fillcolor: ink("--soft"),
    }));
    stacks.draw(
      [boxes],
      {
        title: "weights into each neuron, a colour per feature",
        barmode: "overlay",
        shapes: marks,
        xaxis: scale("neuron", {dtick: m <= 20 ? 1 : 5, showgrid: false}),
        yaxis: scale(data.scaled ? "weight, largest = 1" : "weight"),
      },
      `weights into each neuron, stacked; ${said.textContent}`,
    );
    drawCircuit(W1, W2, chosen);
  }
  function drawCircuit(W1, W2, chosen) {
    const strength = range(n).map((i) =>
      Math.max(...chosen.map((c) => Math.abs(W1[c][i]) / Math.max(...W1[c].map(Math.abs), 1e-9))),
    );
    const features = range(n)
      .filter((i) => strength[i] > WIDE)
      .sort((i, j) => strength[j] - strength[i])
      .slice(0, MOST_LINES)
      .sort((i, j) => i - j);
    const height = (k, count) => (count > 1 ? 0.5 - k / (count - 1) : 0);
    const traces = [],
      words = {
        mode: "text",
        x: [],
        y: [],
        text: [],
        textfont: {size: 11, color: []},
        hoverinfo: "skip",
      };
    const join = (x0, y0, x1, y1, weight, from, to, at) => {
      if (Math.abs(weight) < 0.03) return;
      const color = weight > 0 ? ink("--high") : ink("--low");
      traces.push({
        x: [x0, (x0 + x1) / 2, x1],
        y: [y0, (y0 + y1) / 2, y1],
        mode: "lines",
        line: {color, width: Math.min(1 + 3 * Math.sqrt(Math.abs(weight)), 9)},
        opacity: 0.75,
        hovertemplate: `${from} → ${to}: ${show(weight)}<extra></extra>`,
      });
      words.x.push(x0 + at * (x1 - x0));
      words.y.push(y0 + at * (y1 - y0) + 0.035);
      words.text.push(show(weight, 2));
      words.textfont.color.push(ink("--ink"));
    };
    chosen.forEach((c, k) => {
      const y = height(k, chosen.length) * 0.7;
      features.forEach((i, a) => {
        const place = height(a, features.length);
        join(0, place, 1, y, W1[c][i], `feature ${i}`, `neuron ${c}`, 0.2 + 0.18 * k);
        join(1, y, 2, place, W2[i][c], `neuron ${c}`, `output ${i}`, 0.8 - 0.18 * k);
      });
    });
    const nodes = (x, list, y, text, more) => ({
      x: list.map(() => x),
      y: list.map((_, k) => y(k)),
      text,
      mode: "markers+text",
      hoverinfo: "skip",
      cliponaxis: false,
      ...more,
    });
    if (words.x.length > 12) words.text = []; // too many to read; pointing at a line tells
    const dots = {size: 13, color: features.map((i) => colours[i])},
      high = (k) => height(k, features.length);
    traces.push(
      words,
      nodes(
        0,
        features,
        high,
        features.map((i) => `x<sub>${i}</sub>`),
        {marker: dots, textposition: "middle left"},
      ),
      nodes(
        2,
        features,
        high,
        features.map((i) => `${data.scaled ? "|x|" : "x′"}<sub>${i}</sub>`),
        {marker: dots, textposition: "middle right"},
      ),
      nodes(1, chosen, (k) => height(k, chosen.length) * 0.7, chosen.map(String), {
        marker: {
          size: 34,
          symbol: "square",
          color: ink("--paper"),
          line: {color: ink("--ink"), width: 1.5},
        },
        textposition: "middle center",
      }),
    );
    const title = `${chosen.length > 1 ? "neurons" : "neuron"} ${chosen.join(" and ")}: from features to outputs`;
    circuit.draw(
      traces,
      {
        title,
        xaxis: bare({range: [-0.4, 2.4]}),
        yaxis: bare({range: [-0.65, 0.65]}),
        margin: {l: 8, r: 8, t: 34, b: 8},
      },
      `${title}; features ${features.join(", ")}; red lines are positive weights, blue ones negative`,
    );
  }
  offer();
  draw();
  stacks.div.on("plotly_click", (event) => {
    select.value = String(event.points[0].x);
    draw();
  });
  return draw;
}
