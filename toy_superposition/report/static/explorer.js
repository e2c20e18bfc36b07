// The panels of feature geometry and learning dynamics: one model at a time, chosen by sliders.
// Their data: explorer.py.

const COLUMNS = [
  "feature",
  "component",
  "importance",
  "density",
  "norm",
  "dimensionality",
  "superposition",
  "bias",
];

/** Draws the trained models of a sweep, and during training if there is an axis of steps. */
function explorer(data, root) {
  const [, m, n] = data.W.shape;
  const rows = Object.fromEntries(
    ["W", "b", "importance", "density", "component", "places"]
      .filter((name) => data[name])
      .map((name) => [name, unpack(data[name])]),
  );
  const controls = choosers(data.axes, draw, ranked(data));
  const status = element("p", {class: "status"}),
    legend = element("ul", {class: "legend"});
  const plots = element("div", {class: "plots"});
  const numbers = listing(COLUMNS);
  root.append(
    controls.row,
    element("div", {"aria-live": "polite"}, status, legend),
    plots,
    numbers.details,
  );
  const steps = controls.of("step");
  const curve = steps ? plot(plots, "full") : null;
  const space = plot(plots),
    heat = plot(plots);
  if (steps) controls.row.append(player(steps));

  function draw() {
    const k = controls.index;
    controls.update(); // the number of a restart depends on the other sliders
    const where = controls.text() || "the trained model";
    share();
    if (steps) drawCurve(curve, steps, data.loss, k, where);
    if (rows.W(k).includes(null)) {
      status.textContent = `${where}: this model is not finite.`;
      legend.replaceChildren();
      numbers.fill([]);
      drawNotFinite([space, heat]);
      return;
    }
    drawModel(k, where);
  }

  function drawModel(k, where) {
    const W = split(rows.W(k), n),
      b = rows.b(k),
      component = rows.component(k),
      kinds = data.kinds[k],
      importance = rows.importance(k),
      density = rows.density(k);
    const {gram, norm, dimensionality, superposition} = measures(W);
    const colours = component.map((c) => (c < 0 ? ABSENT : data.colours[kinds[c]]));
    const customdata = range(n).map((i) => [
      i,
      importance[i],
      density[i],
      norm[i],
      dimensionality[i],
      superposition[i],
      kindOf(kinds, component[i]),
    ]);
    numbers.fill(customdata.map((row, i) => [row[0], row[6], ...row.slice(1, 6), b[i]]));
    const items = components(kinds, component, data.colours);
    const solid = data.solids?.[k],
      whole = solid && !solid.includes("⊕") ? `; together: ${solid}` : "";
    status.textContent = `${where}: loss ${show(data.loss[k])}${whole}`;
    const summary = `${status.textContent}; ${items.map((item) => item.text).join("; ")}`;
    legend.replaceChildren(...items.map(legendItem));
    const drawn =
      m <= 3
        ? arrows(W, colours, {customdata})
        : graph(gram, component, split(rows.places(k), 2), colours, {customdata});
    const title = m <= 3 ? "feature directions W" : "features that share dimensions";
    space.draw(drawn.traces, {...drawn.layout, title, uirevision: "same"}, `${title}; ${summary}`);
    const identical = importance.every((x) => x === importance[0]) && m > 3;
    // Features that are not represented would fill the picture.
    const many = identical && n > FINE && kinds.length > 0;
    const shown = range(n).filter((i) => !many || component[i] >= 0);
    const rank = component.map((c) => (c < 0 ? Infinity : c));
    const order = identical ? shown.sort((i, j) => rank[i] - rank[j] || i - j) : shown;
    const matrix = products(gram, b, order, heat.div.clientWidth);
    if (many) matrix.layout.title = "overlap WᵀW and bias b of stored features";
    heat.draw(matrix.traces, matrix.layout, `inner products of features; ${summary}`);
  }

  const share = link(root, controls.of("density"));
  draw();
  curve?.div.on("plotly_click", (event) => steps.set(event.points[0].pointIndex));
  return draw;
}

const legendItem = ({colour, text}) =>
  element("li", {}, element("span", {class: "swatch", style: `background:${colour}`}), text);

/** Draws the loss during training of the chosen model, with the chosen step k marked. */
function drawCurve(curve, steps, losses, k, where) {
  const first = k - steps.index,
    x = steps.axis.values,
    y = losses.slice(first, first + x.length);
  const log = x.at(-1) > 2 * x.length * x[1],
    at = (step) => (log ? Math.max(step, 0.5) : step);
  const known = y.filter((loss) => loss > 0),
    wide = Math.max(...known) > 5 * Math.min(...known);
  const now = {
    x: [at(x[steps.index])],
    y: [losses[k]],
    mode: "markers",
    name: "now",
    marker: {size: 13, color: ink("--high")},
    hoverinfo: "skip",
  };
  const line = {
    x: x.map(at),
    y,
    mode: "lines+markers",
    name: "loss",
    line: {color: ink("--accent"), width: 2},
    marker: {size: 4},
    customdata: x,
    hovertemplate: "step %{customdata}: loss %{y:.4~g}<extra></extra>",
  };
  curve.draw(
    [line, now],
    {
      title: "loss during training",
      xaxis: log
        ? scale("training step (0 at the left end)", {
            type: "log",
            dtick: 1,
            exponentformat: "none",
          })
        : scale("training step"),
      yaxis: scale("loss", {type: wide ? "log" : "linear"}),
    },
    `loss during training; ${where}: ${show(losses[k])}`,
  );
}
