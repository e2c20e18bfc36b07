// Plots that follow the page's style, light or dark.

const DARK = matchMedia("(prefers-color-scheme: dark)");
const CONFIG = {displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false};

const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
// plotly reads its texts as markup.
const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** Adds an empty plot to an element. Returns it and a function that fills it, also again. */
function plot(parent, kind = "") {
  const div = parent.appendChild(element("div", {class: `plot ${kind}`, role: "img"}));
  return {
    div,
    draw(traces, layout, description) {
      div.setAttribute("aria-label", description);
      const font = {color: ink("--ink"), family: "system-ui, sans-serif", size: 13};
      const common = {
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font,
        showlegend: false,
        margin: {l: 52, r: 16, t: 34, b: 46},
        dragmode: false,
        hovermode: "closest",
        hoverlabel: {bgcolor: ink("--soft"), bordercolor: ink("--line"), font},
        bargap: 0.15,
      };
      const title = {text: layout.title ?? "", font: {size: 14}, x: 0.02, xanchor: "left"};
      return Plotly.react(div, traces, {...common, ...layout, title}, CONFIG);
    },
  };
}

/** Returns an axis with a title. */
const scale = (title, more = {}) => ({
  title: {text: title, standoff: 6},
  gridcolor: ink("--line"),
  zerolinecolor: ink("--line"),
  linecolor: ink("--line"),
  tickcolor: ink("--line"),
  automargin: true,
  fixedrange: true,
  ...more,
});

/** Returns an axis that is not drawn. */
const bare = (more = {}) =>
  scale("", {
    showgrid: false,
    zeroline: false,
    showline: false,
    showticklabels: false,
    ticks: "",
    ...more,
  });

/** Returns the layout of a plot that shows a text only. */
const empty = (text) => ({
  xaxis: bare(),
  yaxis: bare(),
  annotations: [{text, showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5}],
});

/** Shows in plots that a model is not finite. */
const drawNotFinite = (plots) =>
  plots.forEach(({draw}) => draw([], empty("not finite"), "a model that is not finite"));
