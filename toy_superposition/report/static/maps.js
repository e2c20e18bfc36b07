// Panels that show a whole sweep at once: their data are made by maps.py.

/** Returns where round numbers lie on an axis of cells with these values, and their names. */
function ticks(values) {
  const logs = values.map(Math.log),
    tickvals = [],
    ticktext = [];
  const place = (x) => {
    for (let k = 0; k + 1 < logs.length; k++) {
      const part = (x - logs[k]) / (logs[k + 1] - logs[k]);
      if (part >= -1e-4 && part <= 1.0001) return k + part;
    }
    return null;
  };
  for (const value of [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100,
  ]) {
    const at = place(Math.log(value));
    if (at !== null) {
      tickvals.push(at);
      ticktext.push(String(value));
    }
  }
  return {tickmode: "array", tickvals, ticktext};
}

/** Draws maps over relative importance and density, and the solution in a chosen cell. */
function phases(data, root) {
  const {r, p} = data;
  const maps = data.maps.map((map) => ({
    ...map,
    n: map.W?.shape[2], // features
    ...Object.fromEntries(
      ["colours", "phase", "W", "b", "solution"]
        .filter((name) => map[name])
        .map((name) => [name, unpack(map[name])]),
    ),
  }));
  const map = chooser(
    {name: "map", label: "map", values: maps.map((one) => one.name), start: data.start},
    draw,
  );
  const column = chooser(
    {
      name: "relative_importance",
      label: "relative importance r",
      values: r,
      start: nearest(r, 0.3),
    },
    draw,
  );
  const line = chooser(
    {name: "density", label: "density p = 1 − S", values: p, start: nearest(p, 0.15)},
    draw,
  );
  const said = element("p", {class: "said", "aria-live": "polite"});
  const table = element("div", {
    class: "cell",
    role: "region",
    tabindex: 0,
    "aria-label": "the chosen cell",
  });
  const plots = element("div", {class: "plots"});
  root.append(
    element("div", {class: "controls"}, map.label, column.label, line.label),
    said,
    plots,
    table,
  );
  const plane = plot(plots),
    space = plot(plots);
  const cell = (i, j) => i * p.length + j;
  const phase = (one, k) => data.phases.at(one.phase(k)[0]);
  const verdict = (one, k) =>
    phase(one, k) +
    (one.solution ? ` (${one.solutions[one.solution(k)[0]].replace(/_/g, " ")})` : "");
  const side = (values, more) =>
    scale("", {
      ...ticks(values),
      showgrid: false,
      zeroline: false,
      range: values[0] < values.at(-1) ? [-0.5, values.length - 0.5] : [values.length - 0.5, -0.5],
      ...more,
    });

  function draw() {
    const one = maps[map.index],
      i = column.index,
      j = line.index;
    const z = p.map((_, b) => r.map((_, a) => one.colours(cell(a, b)).map(Math.round)));
    const text = p.map((_, b) =>
      r.map((_, a) => {
        const k = cell(a, b);
        const numbers = ["norm", "superposition", "loss"]
          .filter((name) => one[name])
          .map((name) => `${name} ${show(one[name][k])}`);
        return [
          `r = ${show(r[a], 3)}, p = ${show(p[b], 3)}`,
          safe(verdict(one, k)),
          ...numbers,
        ].join("<br>");
      }),
    );
    const traces = [
      {type: "image", name: one.name, z, text, hovertemplate: "%{text}<extra></extra>"},
    ];
    if (data.boundary)
      traces.push({
        x: range(r.length),
        y: data.boundary,
        mode: "lines",
        hoverinfo: "skip",
        name: "boundary",
        line: {color: "#000", width: 2, dash: "dash"},
      });
    traces.push({
      x: [i],
      y: [j],
      mode: "markers",
      hoverinfo: "skip",
      name: "cell",
      marker: {symbol: "square-open", size: 15, color: "#000", line: {width: 3}},
    });
    const different =
      one.differs === undefined
        ? ""
        : `; ${plural(one.differs, "cell")} of ${r.length * p.length} differ`;
    plane.draw(
      traces,
      {
        title: safe(one.name) + different,
        uirevision: "same",
        xaxis: side(r, {title: {text: "relative importance r"}, constrain: "domain"}),
        yaxis: side(p, {title: {text: "density p = 1 − S"}, scaleanchor: "x", constrain: "domain"}),
      },
      `map of phases: ${one.name}${different}`,
    );
    tell(i, j);
  }

  /** Shows one cell: a table of all maps, the solution as arrows, and a sentence. */
  function tell(i, j) {
    const k = cell(i, j),
      current = maps[map.index];
    said.textContent =
      `r = ${show(r[i], 3)}, p = ${show(p[j], 3)}: ` +
      (current.differs === undefined
        ? `${current.name}: ${verdict(current, k)}`
        : `trained ${phase(current, k)}, true optimum ${phase(maps[1], k)}`) +
      ".";
    const shown = maps.filter((one) => one.differs === undefined);
    const head = ["map", "extra feature", "norm", "superposition", "loss"];
    table.replaceChildren(
      element(
        "table",
        {},
        element("caption", {}, `In this cell: r = ${show(r[i], 3)}, p = ${show(p[j], 3)}`),
        element(
          "thead",
          {},
          element("tr", {}, ...head.map((name) => element("th", {scope: "col"}, name))),
        ),
        element(
          "tbody",
          {},
          ...shown.map((one) =>
            element(
              "tr",
              {},
              ...[
                one.name,
                verdict(one, k),
                show(one.norm?.[k]),
                show(one.superposition?.[k]),
                show(one.loss?.[k]),
              ].map((value) => element("td", {}, value)),
            ),
          ),
        ),
      ),
    );
    const solved =
      current.W && maps.length > 5 ? [current] : shown.filter((one) => one.W).slice(0, 2);
    const styles = [
      {size: 17, symbol: "circle-open", line: {width: 2.5}},
      {size: 9, symbol: "circle"},
    ];
    const colours = [ink("--faint"), ink("--accent")],
      traces = [];
    let layout = empty("no weights");
    solved.forEach((one, which) => {
      const flat = one.W(k),
        style = solved.length === 1 ? 1 : which;
      if (flat.includes(null)) return;
      const W = split(flat, one.n),
        b = one.b(k);
      const marker = {...styles[style], color: colours[style]};
      const customdata = range(W[0].length).map((f) => [f, b[f]]);
      const drawn = arrows(
        W,
        W[0].map(() => colours[style]),
        {
          marker,
          name: one.name,
          customdata,
          hovertemplate: `feature %{customdata[0]} (${safe(one.name)})<br>bias %{customdata[1]:.4f}<extra></extra>`,
        },
      );
      if (style === 1)
        drawn.traces.at(-1).text = W[0].map((_, f) =>
          f === W[0].length - 1 ? `${f} extra` : String(f),
        );
      else drawn.traces.at(-1).mode = "markers";
      traces.push(...drawn.traces);
      layout = drawn.layout;
    });
    const title =
      solved.length > 1
        ? "weights: trained (dots), optimum (rings, turned)"
        : "weights of the best restart";
    space.draw(traces, {...layout, title}, `${title}; ${said.textContent}`);
  }

  draw();
  const at = (event) => event.points.find((point) => point.data.type === "image");
  plane.div.on("plotly_hover", (event) => {
    const point = at(event);
    if (point) tell(point.x, point.y);
  });
  plane.div.on("plotly_unhover", () => tell(column.index, line.index));
  plane.div.on("plotly_click", (event) => {
    const point = at(event);
    if (point) {
      column.set(point.x);
      line.set(point.y);
    }
  });
  return draw;
}

/** Draws D* with its spread and every D_i over 1/(1 − S), with the fractions of regular solids. */
function dimensionality(data, root) {
  const {density, whole, guides} = data,
    D = unpack(data.D),
    size = data.D.shape[1];
  const choice = chooser(
    {name: "density", label: "density p = 1 − S", values: density, start: 0},
    move,
  );
  const said = element("p", {class: "said", "aria-live": "polite"});
  const plots = element("div", {class: "plots"});
  root.append(element("div", {class: "controls"}, choice.label), said, plots);
  const both = plot(plots, "full tall");
  const x = density.map((p) => 1 / p);
  const known = whole.map((row) => row.filter((value) => value !== null));
  const mean = known.map((row) =>
    row.length ? row.reduce((a, b) => a + b, 0) / row.length : null,
  );
  const step = x.length > 1 ? Math.abs(Math.log(x.at(-1) / x[0])) / (x.length - 1) : 0;
  // Features of equal D would hide one another: each is moved sideways, always alike.
  const apart = (i) => Math.exp(0.7 * step * (((i * 0.618034) % 1) - 0.5));

  const tell = link(root, choice);
  let ready; // once the plot is there
  const line = (k) => ({
    type: "line",
    yref: "paper",
    y0: 0,
    y1: 1,
    x0: x[k],
    x1: x[k],
    line: {color: ink("--high"), width: 2},
  });

  function move() {
    tell();
    say();
    const shape = `shapes[${Object.keys(guides).length}]`, // the one after the guides
      at = x[choice.index];
    ready = ready.then(() => Plotly.relayout(both.div, {[`${shape}.x0`]: at, [`${shape}.x1`]: at}));
  }
  function say() {
    const k = choice.index,
      inRow = known[k];
    const spread =
      inRow.length > 1
        ? ` (${show(Math.min(...inRow), 3)} to ${show(Math.max(...inRow), 3)} over ${inRow.length} restarts)`
        : "";
    said.textContent = `density ${show(density[k])}, 1/(1 − S) = ${show(x[k])}: D* = ${show(mean[k], 3)} hidden dimensions per feature${spread}.`;
  }
  function draw() {
    say();
    const edge = (which) => known.map((row) => (row.length ? which(...row) : null));
    const accent = ink("--accent"),
      hidden = {line: {width: 0}, mode: "lines", hoverinfo: "skip"};
    const points = density.map((_, a) => D(a));
    const traces = [
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
        line: {color: accent, width: 2},
        marker: {size: 5},
        customdata: density,
        hovertemplate: "p = %{customdata:.4~g}<br>D* = %{y:.4f}<extra></extra>",
      },
      {
        x: points.flatMap((row, a) => row.map((_, i) => x[a] * apart(i))),
        y: points.flat(),
        name: "D_i",
        yaxis: "y2",
        mode: "markers",
        customdata: points.flatMap((row, a) => row.map(() => density[a])),
        marker: {size: 3.5, color: accent, opacity: 0.55},
        hovertemplate: "p = %{customdata:.4~g}<br>D_i = %{y:.4f}<extra></extra>",
      },
    ];
    const guide = (y, ref) => ({
      type: "line",
      xref: "paper",
      x0: 0,
      x1: 1,
      yref: ref,
      y0: y,
      y1: y,
      line: {color: ink("--faint"), width: 1, dash: "dot"},
    });
    const names = Object.entries(guides),
      narrow = both.div.clientWidth < 600;
    ready = both.draw(
      traces,
      {
        title: narrow
          ? "D* above, dimensionalities below"
          : "D* = m / ‖W‖² above, dimensionality of each feature below",
        xaxis: scale("1 / (1 − S)", {
          type: "log",
          anchor: "y2",
          tickvals: [1, 1.5, 2, 3, 4, 5, 7, 10, 20, 50, 100, 200, 500, 1000],
        }),
        yaxis: scale("D*", {domain: [0.68, 1], rangemode: "tozero"}),
        yaxis2: scale("dimensionality D<sub>i</sub>", {domain: [0, 0.6], range: [-0.04, 1.08]}),
        shapes: [...names.map(([, y]) => guide(y, "y2")), line(choice.index)],
        margin: {l: 56, r: narrow ? 34 : 130, t: 40, b: 46},
        annotations: names.map(([name, y]) => ({
          text: narrow ? name.split(" ")[0] : name,
          x: 1.01,
          xref: "paper",
          xanchor: "left",
          y,
          yref: "y2",
          yanchor: name.startsWith("3/8") ? "top" : name.startsWith("2/5") ? "bottom" : "middle",
          showarrow: false,
          font: {size: 11},
        })),
      },
      `hidden dimensions per feature, and dimensionalities, over density; ${said.textContent}`,
    );
  }
  draw();
  both.div.on("plotly_click", (event) => choice.set(nearest(density, event.points[0].customdata)));
  return draw;
}
