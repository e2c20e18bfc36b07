// The panel of the phase diagram: maps over relative importance and density, and the solution in a
// cell. Its data: phases.py.

const ROUND = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];

const IMPORTANCE = "importance r of the extra feature";

/** Returns where round numbers lie on an axis of cells with these values, and their texts. */
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
  for (const value of ROUND) {
    const at = place(Math.log(value));
    if (at !== null) {
      tickvals.push(at);
      ticktext.push(String(value));
    }
  }
  return {tickmode: "array", tickvals, ticktext};
}

/** Returns a map with its packed arrays unpacked. */
const unpacked = (map) => ({
  ...map,
  n: map.W?.shape[2], // features
  ...Object.fromEntries(
    ["colours", "phase", "W", "b", "solution"]
      .filter((name) => map[name])
      .map((name) => [name, unpack(map[name])]),
  ),
});

/** Returns the axis of a map whose cells have these values. */
const cellAxis = (values, more) =>
  scale("", {
    ...ticks(values),
    showgrid: false,
    zeroline: false,
    range: values[0] < values.at(-1) ? [-0.5, values.length - 0.5] : [values.length - 0.5, -0.5],
    ...more,
  });

/** Draws maps over relative importance and density, and the solution in a chosen cell. */
function phases(data, root) {
  const {r, p} = data;
  const maps = data.maps.map(unpacked);
  const names = maps.map((map) => map.name);
  const choice = chooser({name: "map", label: "map", values: names, start: data.start}, draw);
  const importance = {name: "relative_importance", label: `relative ${IMPORTANCE}`, values: r};
  const column = chooser({...importance, start: nearest(r, 0.3)}, draw);
  const density = {name: "density", label: DENSITY, values: p};
  const row = chooser({...density, start: nearest(p, 0.15)}, draw);
  const status = element("p", {class: "status", "aria-live": "polite"});
  const table = element("div", {
    class: "cell",
    role: "region",
    tabindex: 0,
    "aria-label": "the chosen cell",
  });
  const plots = element("div", {class: "plots"});
  const legend = data.legend.map(([colour, text]) =>
    legendItem({colour, text: `extra feature ${text}`}),
  );
  root.append(
    element("div", {class: "controls"}, choice.label, column.label, row.label),
    element("ul", {class: "legend"}, ...legend),
    status,
    plots,
    table,
  );
  const plane = plot(plots),
    space = plot(plots);
  const cell = (i, j) => i * p.length + j;
  const phase = (map, k) => data.phases.at(map.phase(k)[0]);
  const solution = (map, k) =>
    map.solution ? ` (${map.solutions[map.solution(k)[0]].replace(/_/g, " ")})` : "";
  const described = (map, k) => phase(map, k) + solution(map, k);

  function draw() {
    const map = maps[choice.index];
    const different =
      map.differs === undefined
        ? ""
        : `; ${plural(map.differs, "cell")} of ${r.length * p.length} differ`;
    plane.draw(
      mapTraces(map, data, cell, described, column.index, row.index),
      {
        title: safe(map.name) + different,
        uirevision: "same",
        xaxis: cellAxis(r, {title: {text: IMPORTANCE}, constrain: "domain"}),
        yaxis: cellAxis(p, {
          title: {text: "density p: how often it is active"},
          scaleanchor: "x",
          constrain: "domain",
        }),
      },
      `map of phases: ${map.name}${different}`,
    );
    showCell(column.index, row.index);
  }

  /** Shows one cell: a sentence, the solution as arrows, and a table of all maps. */
  function showCell(i, j) {
    const k = cell(i, j),
      current = maps[choice.index],
      at = `r = ${show(r[i], 3)}, p = ${show(p[j], 3)}`;
    status.textContent =
      current.differs === undefined
        ? `${at} (${current.name}): ${described(current, k)}.`
        : `${at}: trained ${phase(current, k)}, true optimum ${phase(maps[1], k)}.`;
    const compared = maps.filter((map) => map.differs === undefined);
    const numbers = (map) => [map.norm, map.superposition, map.loss].map((all) => show(all?.[k]));
    const rows = compared.map((map) => [map.name, described(map, k), ...numbers(map)]);
    table.replaceChildren(cellTable(`In this cell: ${at}`, rows));
    const solved =
      current.W && maps.length > 5 ? [current] : compared.filter((map) => map.W).slice(0, 2);
    drawSolutions(space, solved, k, status.textContent);
  }

  draw();
  const at = (event) => event.points.find((point) => point.data.type === "image");
  plane.div.on("plotly_hover", (event) => {
    const point = at(event);
    if (point) showCell(point.x, point.y);
  });
  plane.div.on("plotly_unhover", () => showCell(column.index, row.index));
  plane.div.on("plotly_click", (event) => {
    const point = at(event);
    if (point) {
      column.set(point.x);
      row.set(point.y);
    }
  });
  return draw;
}

/** Returns a map as an image, the theory's boundary, and a frame around the chosen cell. */
function mapTraces(map, {r, p, boundary}, cell, described, column, row) {
  const hover = (i, j) => {
    const k = cell(i, j);
    const numbers = ["norm", "superposition", "loss"]
      .filter((name) => map[name])
      .map((name) => `${name} ${show(map[name][k])}`);
    const at = `r = ${show(r[i], 3)}, p = ${show(p[j], 3)}`;
    return [at, safe(described(map, k)), ...numbers].join("<br>");
  };
  const image = {
    type: "image",
    name: map.name,
    z: p.map((_, j) => r.map((_, i) => map.colours(cell(i, j)).map(Math.round))),
    text: p.map((_, j) => r.map((_, i) => hover(i, j))),
    hovertemplate: "%{text}<extra></extra>",
  };
  const line = {
    x: range(r.length),
    y: boundary,
    mode: "lines",
    hoverinfo: "skip",
    name: "boundary",
    line: {color: "#000", width: 2, dash: "dash"},
  };
  const frame = {
    x: [column],
    y: [row],
    mode: "markers",
    hoverinfo: "skip",
    name: "cell",
    marker: {symbol: "square-open", size: 15, color: "#000", line: {width: 3}},
  };
  return [image, ...(boundary ? [line] : []), frame];
}

/** Returns the table of what the maps say about one cell. */
function cellTable(caption, rows) {
  const body = rows.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text))));
  return element(
    "table",
    {},
    element("caption", {}, caption),
    titles(["map", "extra feature", "norm", "superposition", "loss"]),
    element("tbody", {}, ...body),
  );
}

/** Draws the weights of a cell's solutions as arrows: dots, with rings for the optimum's. */
function drawSolutions(space, solved, k, description) {
  const styles = [
    {size: 17, symbol: "circle-open", line: {width: 2.5}, color: ink("--faint")},
    {size: 9, symbol: "circle", color: ink("--accent")},
  ];
  const traces = [];
  let layout = empty("no weights");
  solved.forEach((map, which) => {
    const flat = map.W(k),
      dots = solved.length === 1 || which === 1,
      marker = styles[dots ? 1 : 0];
    if (flat.includes(null)) return;
    const W = split(flat, map.n),
      b = map.b(k);
    const drawn = arrows(
      W,
      W[0].map(() => marker.color),
      {
        marker,
        name: map.name,
        customdata: b.map((bias, f) => [f, bias]),
        hovertemplate: `feature %{customdata[0]} (${safe(map.name)})<br>bias %{customdata[1]:.4f}<extra></extra>`,
      },
    );
    const points = drawn.traces.at(-1);
    if (dots) points.text = b.map((_, f) => (f === b.length - 1 ? `${f} extra` : String(f)));
    else points.mode = "markers";
    traces.push(...drawn.traces);
    layout = drawn.layout;
  });
  const title =
    solved.length > 1
      ? "weights: trained (dots), optimum (rings, rotated)"
      : "weights of the best restart";
  space.draw(traces, {...layout, title}, `${title}; ${description}`);
}
