// The panel of latents and features: cosines of one sparse autoencoder. Its data: latents.py.

/** Draws the cosines of latents with true features, and how near each feature's own latent is. */
function latents(data, root) {
  const n = data.features.length;
  const rows = Object.fromEntries(
    ["cosine", "latent", "row"].map((name) => [name, unpack(data[name])]),
  );
  const controls = choosers(data.axes, draw, ranked(data));
  const status = element("p", {class: "status", "aria-live": "polite"}),
    plots = element("div", {class: "plots"});
  root.append(controls.row, status, plots);
  const heat = plot(plots, "tall"),
    own = plot(plots, "tall");
  const share = link(root, controls.of("density"));

  function draw() {
    const k = controls.index;
    controls.update();
    share();
    const where = controls.text() || "the trained autoencoder";
    const flat = rows.cosine(k);
    if (flat.includes(null)) {
      status.textContent = `${where}: this model is not finite.`;
      return drawNotFinite([heat, own]);
    }
    const cosine = split(flat, n),
      row = rows.row(k),
      found = row.filter((at) => at >= 0).length;
    const chance = data.chance[k] === null ? "" : `, by chance ${show(data.chance[k], 3)}`;
    status.textContent = `${where}: loss ${show(data.loss[k])}; MCC ${show(data.mcc[k], 3)}${chance}; ${found} of ${plural(n, "feature")} have a latent of their own.`;
    const matrix = cosines(cosine, rows.latent(k), data.features, heat.div.clientWidth);
    heat.draw(matrix.traces, matrix.layout, `cosines of latents and features; ${status.textContent}`);
    const dots = nearestLatents(cosine, rows.latent(k), row, data.features, data.chance_each[k]);
    own.draw(dots.traces, dots.layout, `cosine of each feature's own latent; ${status.textContent}`);
  }

  draw();
  return draw;
}

/** Returns traces and layout of the cosines as a heat map. */
function cosines(cosine, latent, features, width) {
  const room = 9 * String(features.at(-1)).length + 4; // pixels of a number
  const step = [1, 2, 5, 10, 20, 50].find((k) => (0.7 * width * k) / features.length >= room) ?? 100;
  const ticks = range(features.length).filter((j) => j % step === 0);
  const trace = {
    type: "heatmap",
    name: "cosine",
    z: cosine,
    zmin: -1,
    zmax: 1,
    colorscale: [
      [0, ink("--low")],
      [0.5, ink("--paper")],
      [1, ink("--high")],
    ],
    text: cosine.map((line, i) => line.map((_, j) => `latent ${latent[i]}, feature ${features[j]}`)),
    hovertemplate: "%{text}: cosine %{z:.4f}<extra></extra>",
    colorbar: {thickness: 10, tickvals: [-1, 0, 1], outlinewidth: 0, len: 0.6},
  };
  const grid = {showgrid: false, zeroline: false, showline: true, mirror: true, ticks: ""};
  const xaxis = scale("true feature", {
    ...grid,
    tickmode: "array",
    tickvals: ticks,
    ticktext: ticks.map((j) => String(features[j])),
    tickangle: 0,
  });
  const yaxis = scale("latent, in the order of features", {
    ...grid,
    autorange: "reversed",
    showticklabels: false,
  });
  const layout = {title: "cosine of latent and true feature", xaxis, yaxis};
  return {traces: [trace], layout: {...layout, margin: {l: 30, r: 8, t: 34, b: 44}}};
}

/** Returns traces and layout of |cosine| of each feature with its own latent, and chance. */
function nearestLatents(cosine, latent, row, features, chance) {
  const known = range(features.length).filter((j) => row[j] >= 0);
  const dots = {
    name: "own latent",
    mode: "markers",
    x: known.map((j) => features[j]),
    y: known.map((j) => Math.abs(cosine[row[j]][j])),
    text: known.map((j) => `feature ${features[j]}, latent ${latent[row[j]]}`),
    marker: {size: 7, color: ink("--accent")},
    cliponaxis: false,
    hovertemplate: "%{text}: |cosine| %{y:.4f}<extra></extra>",
  };
  const shapes = chance === null ? [] : [{...guideLine(chance), yref: "y"}];
  return {
    traces: [dots],
    layout: {
      title: `|cosine| with the feature's own latent${shapes.length ? "; dotted: by chance" : ""}`,
      xaxis: scale("true feature", {zeroline: false}),
      yaxis: scale("|cosine|", {range: [-0.02, 1.04]}),
      shapes,
    },
  };
}
