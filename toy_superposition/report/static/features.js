// Pictures of one model's features: arrows, the graph of components, WᵀW, components in words.

const ABSENT = "#9aa3ab"; // colour of features that are not represented
const FINE = 24; // maximum number of features whose numbers are written beside them
const LISTED = 12; // maximum number of features that a legend lists

const NUMBERS =
  "feature %{customdata[0]}: %{customdata[6]}<br>importance %{customdata[1]:.4~g}" +
  "<br>density %{customdata[2]:.4~g}<br>norm %{customdata[3]:.4f}" +
  "<br>dimensionality %{customdata[4]:.4f}<br>superposition %{customdata[5]:.4f}<extra></extra>";

/** Returns traces and layout of features as arrows from the origin, in 1, 2 or 3 dimensions. */
function arrows(W, colours, more) {
  const n = W[0].length,
    m = W.length;
  const coordinates = m === 1 ? [W[0], range(n)] : W;
  const from = (axis, i) => (m === 1 && axis === 1 ? i : 0);
  const type = m === 3 ? "scatter3d" : "scatter";
  const named = (list) =>
    Object.fromEntries(["x", "y", "z"].slice(0, list.length).map((x, k) => [x, list[k]]));
  const lines = [...new Set(colours)].map((colour) => {
    const chosen = range(n).filter((i) => colours[i] === colour);
    const strokes = coordinates.map((x, axis) =>
      chosen.flatMap((i) => [from(axis, i), x[i], null]),
    );
    return {
      type,
      mode: "lines",
      ...named(strokes),
      line: {color: colour, width: m === 3 ? 5 : 2.5},
      hoverinfo: "skip",
    };
  });
  const points = {
    type,
    name: "features",
    ...named(coordinates),
    ...(m < 3 && {cliponaxis: false}),
    mode: n <= FINE ? "markers+text" : "markers",
    text: range(n).map(String),
    textposition: "top center",
    marker: {color: colours, size: m === 3 ? 6 : 11},
    hovertemplate: NUMBERS,
    ...more,
  };
  return {traces: [...lines, points], layout: room(W)};
}

/** Returns the layout of arrows: a line per feature, a square or a cube. */
function room(W) {
  const limit = Math.max(1.25, 1.15 * Math.max(...W.flat().map(Math.abs)));
  const sides = {range: [-limit, limit], zeroline: true};
  if (W.length === 1) {
    const n = W[0].length;
    const yaxis = scale("feature", {range: [n - 0.4, -0.8], dtick: 1, zeroline: false});
    return {xaxis: scale("weight W in the one hidden dimension", sides), yaxis};
  }
  if (W.length === 2)
    return {
      xaxis: scale("hidden dimension h₀", {...sides, dtick: 1}),
      yaxis: scale("hidden dimension h₁", {...sides, dtick: 1, scaleanchor: "x"}),
    };
  const side = scale("", {
    ...sides,
    backgroundcolor: "rgba(0,0,0,0)",
    showticklabels: false,
    showspikes: false,
    dtick: 1,
  });
  const axis = (text) => ({...side, title: {text}});
  const scene = {
    xaxis: axis("h₀"),
    yaxis: axis("h₁"),
    zaxis: axis("h₂"),
    aspectmode: "cube",
    dragmode: "orbit",
    uirevision: "same",
    camera: {eye: {x: 1.15, y: 0.95, z: 0.65}},
  };
  return {scene, margin: {l: 0, r: 0, t: 34, b: 0}};
}

/** Returns traces and layout of the graph of features: an edge's strength is the inner product. */
function graph(gram, component, places, colours, more) {
  const shown = range(gram.length).filter((i) => places[i][0] !== null);
  const strengths = [
    [0.02, 0.25],
    [0.25, 0.6],
    [0.6, Infinity],
  ];
  const lines = strengths.map(([low, high], k) => {
    const x = [],
      y = [];
    shown.forEach((i, a) =>
      shown.slice(a + 1).forEach((j) => {
        const strength = Math.abs(gram[i][j]);
        if (component[i] === component[j] && strength > low && strength <= high) {
          x.push(places[i][0], places[j][0], null);
          y.push(places[i][1], places[j][1], null);
        }
      }),
    );
    return {
      mode: "lines",
      x,
      y,
      hoverinfo: "skip",
      line: {color: ink("--faint"), width: 0.6 + 0.8 * k},
      opacity: 0.25 + 0.3 * k,
    };
  });
  const points = {
    name: "features",
    cliponaxis: false,
    x: places.map((at) => at[0]),
    y: places.map((at) => at[1]),
    mode: gram.length <= FINE ? "markers+text" : "markers",
    text: range(gram.length).map(String),
    textposition: "middle right",
    marker: {color: colours, size: gram.length <= 100 ? 10 : 6},
    hovertemplate: NUMBERS,
    ...more,
  };
  return {
    traces: [...lines, points],
    layout: {xaxis: bare(), yaxis: bare({scaleanchor: "x"}), margin: {l: 12, r: 12, t: 34, b: 12}},
  };
}

/** Returns traces and layout of WᵀW as a heat map, with the bias as a separate column. `width` is
 * that of the plot in pixels: as many features are named as there is room for. */
function products(gram, b, order, width) {
  const names = order.map(String);
  const step = [1, 2, 5, 10, 20, 50, 100, 200].find((k) => (0.75 * width * k) / order.length >= 17);
  const colorscale = [
    [0, ink("--low")],
    [0.5, ink("--paper")],
    [1, ink("--high")],
  ];
  const common = {type: "heatmap", y: names, zmin: -1, zmax: 1, colorscale};
  const hover = "W<sub>%{y}</sub> · W<sub>%{x}</sub> = %{z:.4f}<extra></extra>";
  const labels = {
    type: "category",
    tickfont: {size: order.length > 12 ? 10 : 13}, // for narrow screens
    tickmode: "array",
    tickvals: names.filter((_, k) => k % (step ?? order.length) === 0),
    tickangle: 0,
    ticks: "",
    showgrid: false,
    zeroline: false,
    showline: true,
    mirror: true,
  };
  return {
    traces: [
      {
        ...common,
        name: "WᵀW",
        x: names,
        z: order.map((i) => order.map((j) => gram[i][j])),
        hovertemplate: hover,
        colorbar: {
          thickness: 10,
          tickvals: [-1, 0, 1],
          ticktext: ["≤ −1", "0", "≥ 1"],
          outlinewidth: 0,
          len: 0.6,
        },
      },
      {
        ...common,
        name: "bias",
        x: ["b"],
        z: order.map((i) => [b[i]]),
        xaxis: "x2",
        showscale: false,
        hovertemplate: "b<sub>%{y}</sub> = %{z:.4f}<extra></extra>",
      },
    ],
    layout: {
      title: "overlap of features WᵀW, and the bias b",
      xaxis: scale("feature", {...labels, domain: [0, 0.88]}),
      xaxis2: scale("", {...labels, tickvals: ["b"], domain: [0.92, 1]}),
      yaxis: scale("feature", {...labels, autorange: "reversed"}),
      margin: {l: 44, r: 8, t: 34, b: 44},
    },
  };
}

/** Returns the components of a model in words and colours. */
function components(kinds, component, colours) {
  const numbers = new Map();
  kinds.forEach((kind, k) => numbers.set(kind, [...(numbers.get(kind) ?? []), k]));
  const names = {dedicated: "dedicated feature", unknown: "component without a name"};
  const items = [...numbers].map(([kind, chosen]) => {
    const members = chosen.map((k) => component.flatMap((c, i) => (c === k ? [i] : [])));
    const list = members.map((features) => features.join(" ")).join("; ");
    const which = members.flat().length <= LISTED ? ` (${list})` : "";
    return {colour: colours[kind], text: plural(chosen.length, names[kind] ?? kind) + which};
  });
  const missing = absent(component);
  if (missing.length) {
    const which = missing.length <= LISTED ? ` (${missing.join(", ")})` : "";
    items.push({colour: ABSENT, text: `${missing.length} not represented${which}`});
  }
  return items;
}
