// Pictures of one model's features: arrows, the graph of components, WᵀW, components in words.

const NUMBERS =
  "feature %{customdata[0]}: %{customdata[6]}<br>importance %{customdata[1]:.4~g}" +
  "<br>density %{customdata[2]:.4~g}<br>norm %{customdata[3]:.4f}" +
  "<br>dimensionality %{customdata[4]:.4f}<br>superposition %{customdata[5]:.4f}<extra></extra>";

/** Returns lines and points of features as arrows from the origin, in 1, 2 or 3 dimensions. */
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
  const limit = Math.max(1.25, 1.15 * Math.max(...W.flat().map(Math.abs)));
  const sides = {range: [-limit, limit], zeroline: true};
  if (m === 3) {
    const side = scale("", {
      ...sides,
      backgroundcolor: "rgba(0,0,0,0)",
      showticklabels: false,
      showspikes: false,
      dtick: 1,
    });
    const named3 = (text) => ({...side, title: {text}});
    const scene = {
      xaxis: named3("h₀"),
      yaxis: named3("h₁"),
      zaxis: named3("h₂"),
      aspectmode: "cube",
      dragmode: "orbit",
      uirevision: "same",
      camera: {eye: {x: 1.15, y: 0.95, z: 0.65}},
    };
    return {traces: [...lines, points], layout: {scene, margin: {l: 0, r: 0, t: 34, b: 0}}};
  }
  if (m === 1) {
    const yaxis = scale("feature", {range: [n - 0.4, -0.8], dtick: 1, zeroline: false});
    return {traces: [...lines, points], layout: {xaxis: scale("weight W", sides), yaxis}};
  }
  const square = {
    xaxis: scale("h₀", {...sides, dtick: 1}),
    yaxis: scale("h₁", {...sides, dtick: 1, scaleanchor: "x"}),
  };
  return {traces: [...lines, points], layout: square};
}

/** Returns the graph of features: edges as strong as the inner product, components apart. */
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

/** Returns WᵀW as a heat map, with the bias as a column of its own on the right. */
function products(gram, b, order) {
  const names = order.map(String),
    few = order.length <= FINE;
  const colorscale = [
    [0, ink("--low")],
    [0.5, ink("--paper")],
    [1, ink("--high")],
  ];
  const common = {type: "heatmap", y: names, zmin: -1, zmax: 1, colorscale};
  const hover = "W<sub>%{y}</sub> · W<sub>%{x}</sub> = %{z:.4f}<extra></extra>";
  const labels = {
    type: "category",
    showticklabels: few,
    dtick: 1,
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
      title: "WᵀW, and the bias b",
      xaxis: scale("", {...labels, domain: [0, 0.88]}),
      xaxis2: scale("", {...labels, showticklabels: true, domain: [0.92, 1]}),
      yaxis: scale("", {...labels, autorange: "reversed"}),
      margin: {l: 30, r: 8, t: 34, b: 30},
    },
  };
}

/** Returns the components of a model in words and colours. */
function components(kinds, component, colours) {
  const counts = new Map();
  kinds.forEach((kind, k) => counts.set(kind, [...(counts.get(kind) ?? []), k]));
  const named = {dedicated: "dedicated feature", unknown: "component without a name"};
  const items = [...counts].map(([kind, numbers]) => {
    const members = numbers.map((k) => component.flatMap((c, i) => (c === k ? [i] : [])));
    const which =
      members.flat().length <= 12 ? ` (${members.map((one) => one.join(" ")).join("; ")})` : "";
    return {colour: colours[kind], text: plural(numbers.length, named[kind] ?? kind) + which};
  });
  const absent = component.flatMap((c, i) => (c < 0 ? [i] : []));
  if (absent.length) {
    const which = absent.length <= 12 ? ` (${absent.join(", ")})` : "";
    items.push({colour: ABSENT, text: `${absent.length} not represented${which}`});
  }
  return items;
}
