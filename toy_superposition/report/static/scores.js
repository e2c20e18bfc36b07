// The panel of the scores of sparse autoencoders over a swept axis. Its data: scores.py.

const SCORE_COLOURS = {
  mcc: "--accent",
  l0: "--accent",
  fvu: "--high",
  precision: "--good",
  recall: "--open",
  dead: "--faint",
};

/** Draws scores over the chosen axis, at the sliders' point of the others. */
function scores(data, root) {
  const values = Object.fromEntries(
    [...Object.keys(data.names), "mcc_chance", "mcc_chance_std", "active", "bound"]
      .filter((name) => data[name])
      .map((name) => [name, unpack(data[name])]),
  );
  const {axes} = data;
  const controls = choosers(axes, draw);
  const over = chooser(
    {name: "over", label: "drawn over", values: axes.map((axis) => axis.name.replace(/_/g, " ")), start: 0},
    draw,
  );
  if (axes.length > 1) controls.row.prepend(over.label);
  const status = element("p", {class: "status"}),
    legend = element("ul", {class: "legend"}),
    plots = element("div", {class: "plots"});
  root.append(controls.row, element("div", {"aria-live": "polite"}, status, legend), plots);
  const agreement = plot(plots),
    active = plot(plots),
    shares = plot(plots, "full");
  const share = link(root, controls.of("density"));
  const repeated = Object.entries(data.repeated).filter(([, count]) => count > 1);
  const models = repeated.map(([name, count]) => plural(count, name)).join(" × ");

  /** Returns the indices of the points along the chosen axis. */
  function line() {
    const axis = axes[over.index],
      stride = axes.slice(over.index + 1).reduce((k, {values: all}) => k * all.length, 1);
    const first = controls.index - controls.of(axis.name).index * stride;
    return axis.values.map((_, k) => first + k * stride);
  }

  function draw() {
    controls.update();
    share();
    const axis = axes[over.index],
      at = line(),
      now = axis.values[controls.of(axis.name).index];
    const text = ([mean, least, most]) =>
      models ? `${show(mean, 3)} (${show(least, 3)} to ${show(most, 3)})` : show(mean, 3);
    status.textContent = `${controls.text()}: mean${models ? ` and range over ${models}` : ""}.`;
    const names = Object.keys(data.names);
    legend.replaceChildren(
      ...names.map((name) =>
        legendItem({
          colour: ink(SCORE_COLOURS[name]),
          text: `${data.names[name]} ${text(values[name](controls.index))}`,
        }),
      ),
    );
    const words = `${names.map((name) => data.names[name]).join(", ")} over ${axis.label}; ${status.textContent}`;
    const x = axis.values;
    const chosen = (...list) =>
      list.filter((name) => values[name]).map((name) => scoreTrace(name, data.names[name], x, at.map(values[name])));
    const compared = (name, text, dash) => comparedTrace(name, text, x, values[name] && at.map(values[name]), dash);
    const chance = values.mcc_chance && chanceBand(x, at.map(values.mcc_chance), at.map(values.mcc_chance_std));
    const layout = (title, more) => ({
      title,
      xaxis: abscissa(axis),
      yaxis: scale("", more),
      shapes: [{...densityLine(now), line: {color: ink("--line"), width: 2}, layer: "below"}],
    });
    const unit = {range: [-0.03, 1.04]};
    agreement.draw(
      [...(chance ?? []), ...compared("mcc_chance", "by chance", "dash"), ...compared("bound", "exact bound", "dot"), ...chosen("mcc")],
      layout("MCC; dashed: by chance" + (values.bound ? "; dotted: exact bound" : ""), unit),
      `MCC; ${words}`,
    );
    active.draw(
      [...compared("active", "active features", "dash"), ...chosen("l0")],
      layout("active latents L0; dashed: active features", {rangemode: "tozero"}),
      `L0; ${words}`,
    );
    shares.draw(
      chosen("fvu", "precision", "recall", "dead"),
      layout("unexplained variance, precision, recall, dead", unit),
      `shares; ${words}`,
    );
  }

  draw();
  for (const {div} of [agreement, active, shares])
    div.on("plotly_click", (event) => {
      const axis = axes[over.index];
      controls.of(axis.name).set(axis.values.indexOf(event.points[0].x));
    });
  return draw;
}

/** Returns the axis of a plot along an axis of the sweep: names as they are, numbers that span a
 * factor 5 on a logarithmic scale. */
function abscissa({name, values}) {
  const title = name === "density" ? "density p" : name.replace(/_/g, " ");
  if (typeof values[0] !== "number") return scale(title, {type: "category"});
  const wide = Math.min(...values) > 0 && Math.max(...values) >= 5 * Math.min(...values);
  const step = Math.ceil(values.length / 6); // labels that do not overlap
  return scale(title, wide ? {type: "log", tickvals: values.filter((_, k) => k % step === 0)} : {});
}

/** Returns a score's mean with its range; numbers along the axis are joined. */
function scoreTrace(name, text, x, rows) {
  const color = ink(SCORE_COLOURS[name]);
  const to = (k) => rows.map((row) => (row[0] === null ? 0 : Math.abs(row[k] - row[0])));
  return {
    name,
    x,
    y: rows.map((row) => row[0]),
    mode: typeof x[0] === "number" ? "lines+markers" : "markers",
    line: {color, width: 2},
    marker: {size: 7, color},
    error_y: {type: "data", symmetric: false, array: to(2), arrayminus: to(1), color, thickness: 1.2, width: 3},
    hovertemplate: `${text}: %{y:.4f}<extra></extra>`,
  };
}

/** Returns a line that a score is compared with, if its numbers are known. */
const comparedTrace = (name, text, x, rows, dash) =>
  rows
    ? [
        {
          name,
          x,
          y: rows.map((row) => row[0]),
          mode: "lines",
          line: {color: ink("--faint"), width: 1.5, dash},
          hovertemplate: `${text}: %{y:.4f}<extra></extra>`,
        },
      ]
    : [];

/** Returns the band of one standard deviation of random decoders around their mean. */
function chanceBand(x, mean, deviation) {
  const edge = (sign) => mean.map(([y], k) => (y === null ? null : y + sign * deviation[k][0]));
  const hidden = {x, mode: "lines", line: {width: 0}, hoverinfo: "skip"};
  return [
    {...hidden, name: "chance, low", y: edge(-1)},
    {...hidden, name: "chance, high", y: edge(1), fill: "tonexty", fillcolor: "rgba(128,128,128,.25)"},
  ];
}
