// Panels that show one model at a time, chosen by sliders: its data are made by models.py.

/** Draws the trained models of a sweep, and during training where there is an axis of steps. */
function explorer(data, root) {
  const [, m, n] = data.W.shape;
  const row = Object.fromEntries(
    ["W", "b", "importance", "density", "component", "places"]
      .filter((name) => data[name])
      .map((name) => [name, unpack(data[name])]),
  );
  const controls = choosers(data.axes, draw, ranked(data));
  const said = element("p", {class: "said"}),
    legend = element("ul", {class: "legend"});
  const plots = element("div", {class: "plots"});
  const numbers = listing([
    "feature",
    "component",
    "importance",
    "density",
    "norm",
    "dimensionality",
    "superposition",
    "bias",
  ]);
  root.append(
    controls.row,
    element("div", {"aria-live": "polite"}, said, legend),
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
    controls.say(); // the number of a restart depends on the other sliders
    const flat = row.W(k),
      b = row.b(k);
    const where = controls.text() || "the trained model";
    tell();
    if (steps) drawCurve(k, where);
    if (flat.includes(null)) {
      said.textContent = `${where}: this model is not finite.`;
      legend.replaceChildren();
      numbers.fill([]);
      [space, heat].forEach((one) =>
        one.draw([], empty("not finite"), "a model that is not finite"),
      );
      return;
    }
    const W = split(flat, n),
      all = measures(W),
      component = row.component(k),
      kinds = data.kinds[k];
    const importance = row.importance(k),
      density = row.density(k);
    const colours = component.map((c) => (c < 0 ? ABSENT : data.colours[kinds[c]]));
    const customdata = range(n).map((i) => [
      i,
      importance[i],
      density[i],
      all.norm[i],
      all.dimensionality[i],
      all.superposition[i],
      component[i] < 0 ? "not represented" : kinds[component[i]],
    ]);
    numbers.fill(customdata.map((row, i) => [row[0], row[6], ...row.slice(1, 6), b[i]]));
    const items = components(kinds, component, data.colours);
    const solid = data.solids?.[k],
      together = solid && !solid.includes("⊕") ? `; together: ${solid}` : "";
    said.textContent = `${where}: loss ${show(data.loss[k])}${together}`;
    const summary = `${said.textContent}; ${items.map((item) => item.text).join("; ")}`;
    legend.replaceChildren(
      ...items.map((item) =>
        element(
          "li",
          {},
          element("span", {class: "swatch", style: `background:${item.colour}`}),
          item.text,
        ),
      ),
    );
    const drawn =
      m <= 3
        ? arrows(W, colours, {customdata})
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
    const first = k - steps.index,
      x = steps.axis.values,
      y = data.loss.slice(first, first + x.length);
    const log = x.at(-1) > 2 * x.length * x[1],
      place = (step) => (log ? Math.max(step, 0.5) : step);
    const known = y.filter((loss) => loss > 0),
      far = Math.max(...known) > 5 * Math.min(...known);
    const at = {
      x: [place(x[steps.index])],
      y: [data.loss[k]],
      mode: "markers",
      name: "now",
      marker: {size: 13, color: ink("--high")},
      hoverinfo: "skip",
    };
    const line = {
      x: x.map(place),
      y,
      mode: "lines+markers",
      name: "loss",
      line: {color: ink("--accent"), width: 2},
      marker: {size: 4},
      customdata: x,
      hovertemplate: "step %{customdata}: loss %{y:.4~g}<extra></extra>",
    };
    curve.draw(
      [line, at],
      {
        title: "loss during training",
        xaxis: log
          ? scale("training step, 0 at the left end", {
              type: "log",
              dtick: 1,
              exponentformat: "none",
            })
          : scale("training step"),
        yaxis: scale("loss", {type: far ? "log" : "linear"}),
      },
      `loss during training; ${where}: ${show(data.loss[k])}`,
    );
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
    const cell = (value) =>
      element("td", {}, typeof value === "number" ? show(value) : (value ?? "–"));
    body.replaceChildren(...rows.map((row) => element("tr", {}, ...row.map(cell))));
  };
  const titles = element(
    "thead",
    {},
    element("tr", {}, ...head.map((name) => element("th", {scope: "col"}, name))),
  );
  const region = element(
    "div",
    {class: "wide", role: "region", tabindex: 0, "aria-label": "numbers of every feature"},
    element("table", {}, titles, body),
  );
  const details = element(
    "details",
    {toggle: () => write()},
    element("summary", {}, "Numbers of every feature"),
    region,
  );
  return {
    details,
    fill: (list) => {
      rows = list;
      write();
    },
  };
}

/** Returns a button that moves a slider from its first point to its last. */
function player(control) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  const button = element(
    "button",
    {
      type: "button",
      click: () => {
        if (timer !== null) return stop();
        const last = control.axis.values.length - 1;
        if (control.index === last) control.set(0);
        button.textContent = "Stop";
        timer = setInterval(
          () => (control.index < last ? control.set(control.index + 1) : stop()),
          150,
        );
      },
    },
    "Play",
  );
  return button;
}

/**
 * Keeps the density of a run's panels the same: returns a function that tells the others of this
 * one's when it is new to them, and lets theirs set this one's. A panel that is drawn late begins
 * with theirs.
 */
function link(root, control) {
  const section = root.closest(".run");
  if (!section || !control) return () => {};
  const values = control.axis.values;
  let told = null;
  if (section.dataset.density) {
    told = nearest(values, Number(section.dataset.density));
    control.begin(told);
  }
  section.addEventListener("density", ({detail}) => {
    if (detail.from === root) return;
    told = nearest(values, detail.density);
    control.set(told);
  });
  return () => {
    if (control.index === told) return;
    told = control.index;
    section.dataset.density = values[told];
    section.dispatchEvent(
      new CustomEvent("density", {detail: {from: root, density: values[told]}}),
    );
  };
}
