// The panel of dimensionality over density. Its data: dimensionality.py.

const GOLDEN = 0.618034; // its multiples, modulo 1, are spread evenly

/** Draws D* with its range and every D_i over 1/(1 − S), with the fractions of regular solids. */
function dimensionality(data, root) {
  const {density, whole, guides} = data;
  const axis = {name: "density", label: DENSITY, values: density, start: 0};
  const choice = chooser(axis, move);
  const status = element("p", {class: "status", "aria-live": "polite"});
  const plots = element("div", {class: "plots"});
  root.append(element("div", {class: "controls"}, choice.label), status, plots);
  const both = plot(plots, "full tall");
  const x = density.map((p) => 1 / p);
  const known = whole.map((row) => row.filter((value) => value !== null));
  const mean = known.map((row) =>
    row.length ? row.reduce((a, b) => a + b, 0) / row.length : null,
  );
  const share = link(root, choice);
  let ready; // a promise of the drawn plot

  function move() {
    share();
    update();
    const shape = `shapes[${Object.keys(guides).length}]`, // the one after the guides
      at = x[choice.index];
    ready = ready.then(() => Plotly.relayout(both.div, {[`${shape}.x0`]: at, [`${shape}.x1`]: at}));
  }

  function update() {
    const k = choice.index,
      values = known[k];
    const spread =
      values.length > 1
        ? ` (${show(Math.min(...values), 3)} to ${show(Math.max(...values), 3)} over ${values.length} restarts)`
        : "";
    status.textContent = `density ${show(density[k])}, 1/(1 − S) = ${show(x[k])}: D* = ${show(mean[k], 3)} hidden dimensions per feature${spread}.`;
  }

  function draw() {
    update();
    const narrow = both.div.clientWidth < 600;
    ready = both.draw(
      [...meanTraces(x, density, known, mean), featureTrace(x, density, unpack(data.D))],
      {
        title: narrow
          ? "D* above, dimensionalities below"
          : "D* = m / ‖W‖² above, dimensionality of each feature below",
        xaxis: scale("how rare features are, 1/(1 − S)", {
          type: "log",
          anchor: "y2",
          tickvals: [1, 1.5, 2, 3, 4, 5, 7, 10, 20, 50, 100, 200, 500, 1000],
        }),
        yaxis: scale("dimensions<br>per feature D*", {domain: [0.68, 1], rangemode: "tozero"}),
        yaxis2: scale("share of a dimension D<sub>i</sub>", {domain: [0, 0.6], range: [-0.04, 1.08]}),
        shapes: [...Object.values(guides).map(guideLine), densityLine(x[choice.index])],
        margin: {l: 56, r: narrow ? 34 : 130, t: 40, b: 46},
        annotations: Object.entries(guides).map((guide) => guideName(guide, narrow)),
      },
      `hidden dimensions per feature, and dimensionalities, over density; ${status.textContent}`,
    );
  }

  draw();
  both.div.on("plotly_click", (event) => choice.set(nearest(density, event.points[0].customdata)));
  return draw;
}

/** Returns D* over density: the range over restarts as a band, and the mean. */
function meanTraces(x, density, known, mean) {
  const edge = (which) => known.map((row) => (row.length ? which(...row) : null));
  const hidden = {line: {width: 0}, mode: "lines", hoverinfo: "skip"};
  return [
    {...hidden, x, y: edge(Math.min), name: "least"},
    {
      ...hidden,
      x,
      y: edge(Math.max),
      name: "most",
      fill: "tonexty",
      fillcolor: DARK.matches ? "rgba(138,184,240,.25)" : "rgba(11,87,176,.2)",
    },
    {
      x,
      y: mean,
      name: "D*",
      mode: "lines+markers",
      line: {color: ink("--accent"), width: 2},
      marker: {size: 5},
      customdata: density,
      hovertemplate: "p = %{customdata:.4~g}<br>D* = %{y:.4f}<extra></extra>",
    },
  ];
}

/**
 * Returns every D_i over density. Features of equal D would hide one another, so each is shifted
 * sideways, by the same factor at every density.
 */
function featureTrace(x, density, D) {
  const step = x.length > 1 ? Math.abs(Math.log(x.at(-1) / x[0])) / (x.length - 1) : 0;
  const shift = (i) => Math.exp(0.7 * step * (((i * GOLDEN) % 1) - 0.5));
  const points = density.map((_, k) => D(k));
  return {
    x: points.flatMap((row, k) => row.map((_, i) => x[k] * shift(i))),
    y: points.flat(),
    name: "D_i",
    yaxis: "y2",
    mode: "markers",
    customdata: points.flatMap((row, k) => row.map(() => density[k])),
    marker: {size: 3.5, color: ink("--accent"), opacity: 0.55},
    hovertemplate: "p = %{customdata:.4~g}<br>D_i = %{y:.4f}<extra></extra>",
  };
}

/** Returns the horizontal line of a regular solid's dimensionality. */
const guideLine = (y) => ({
  type: "line",
  xref: "paper",
  x0: 0,
  x1: 1,
  yref: "y2",
  y0: y,
  y1: y,
  line: {color: ink("--faint"), width: 1, dash: "dot"},
});

/** Returns the name of a regular solid beside its line; the lowest two would overlap. */
const guideName = ([name, y], narrow) => ({
  text: narrow ? name.split(" ")[0] : name,
  x: 1.01,
  xref: "paper",
  xanchor: "left",
  y,
  yref: "y2",
  yanchor: name.startsWith("3/8") ? "top" : name.startsWith("2/5") ? "bottom" : "middle",
  showarrow: false,
  font: {size: 11},
});

/** Returns the vertical line at the chosen density. */
const densityLine = (x) => ({
  type: "line",
  yref: "paper",
  y0: 0,
  y1: 1,
  x0: x,
  x1: x,
  line: {color: ink("--high"), width: 2},
});
