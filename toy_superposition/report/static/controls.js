// Elements that a reader moves: sliders, lists, tables, and the density shared by a run's panels.

/** Returns a new element; strings among its children become text, never markup. */
function element(tag, attributes = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") created.addEventListener(name, value);
    else if (value !== null) created.setAttribute(name, value);
  }
  created.append(...children);
  return created;
}

/** Returns the head of a table. */
const titles = (names) =>
  element(
    "thead",
    {},
    element("tr", {}, ...names.map((name) => element("th", {scope: "col"}, name))),
  );

/** Returns a control over the points of an axis: a slider for numbers, a list for names. */
function chooser(axis, change, text = plain) {
  let index = axis.start;
  const output = element("output");
  const numeric = typeof axis.values[0] === "number";
  const input = numeric
    ? element("input", {type: "range", min: 0, max: axis.values.length - 1, step: 1})
    : element("select", {}, ...axis.values.map((value, k) => element("option", {value: k}, value)));
  const update = () => {
    input.value = index;
    const words = text(axis.values[index]);
    output.textContent = numeric ? words : "";
    if (numeric) input.setAttribute("aria-valuetext", words);
  };
  const begin = (k) => {
    index = k;
    update();
  };
  const set = (k) => {
    begin(k);
    change();
  };
  input.dataset.axis = axis.name;
  input.addEventListener("input", () => set(Number(input.value)));
  const label = element("label", {}, element("span", {class: "name"}, axis.label, output), input);
  update();
  return {
    label,
    begin, // sets the index without drawing
    set,
    update,
    get index() {
      return index;
    },
    axis,
  };
}

/**
 * Returns the controls of all axes, and the index of the point that they choose in the product of
 * the axes. `texts` are functions (value, index of the point) → text, for axes that need one.
 */
function choosers(axes, change, texts = {}) {
  const controls = [];
  const index = () =>
    controls.reduce((k, control) => k * control.axis.values.length + control.index, 0);
  const words = (name) => (value) =>
    texts[name] && controls.length === axes.length ? texts[name](value, index()) : plain(value);
  for (const axis of axes) controls.push(chooser(axis, change, words(axis.name)));
  const row = element("div", {class: "controls"});
  const movable = controls.filter((control) => control.axis.values.length > 1);
  row.append(...movable.map((control) => control.label));
  const text = ({axis, index: k}) => {
    const name = texts[axis.name] ? "" : `${axis.name.replace(/_/g, " ")} `; // its text has it
    return name + words(axis.name)(axis.values[k]);
  };
  return {
    row,
    get index() {
      return index();
    },
    of: (name) => controls.find((control) => control.axis.name === name),
    update: () => controls.forEach((control) => control.update()),
    text: () => controls.map(text).join(", "),
  };
}

/** Returns the text of a restart: its rank by loss, and its number in the run. */
const ranked = (data) => ({
  restart: (rank, k) => {
    const {size} = data.axes.find((axis) => axis.name === "restart");
    const words = rank === 1 ? "best" : rank === size ? "worst" : `number ${rank} from the best`;
    return `${words} of ${size} (restart ${data.restart[k]})`;
  },
});

/** Returns a button that moves a slider from its first point to its last. */
function player(control) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  const click = () => {
    if (timer !== null) return stop();
    const last = control.axis.values.length - 1;
    if (control.index === last) control.set(0);
    button.textContent = "Stop";
    const step = () => (control.index < last ? control.set(control.index + 1) : stop());
    timer = setInterval(step, 150);
  };
  const button = element("button", {type: "button", click}, "Play");
  return button;
}

/** Returns a table that is closed at first, and a function that fills it with rows. */
function listing(head) {
  const body = element("tbody");
  let rows = [];
  const write = () => {
    if (!details.open) return;
    const cell = (value) => element("td", {}, plain(value) ?? "–");
    body.replaceChildren(...rows.map((row) => element("tr", {}, ...row.map(cell))));
  };
  const region = element(
    "div",
    {class: "wide", role: "region", tabindex: 0, "aria-label": "numbers of every feature"},
    element("table", {}, titles(head), body),
  );
  const summary = element("summary", {}, "Numbers of every feature");
  const details = element("details", {toggle: () => write()}, summary, region);
  return {
    details,
    fill: (list) => {
      rows = list;
      write();
    },
  };
}

/**
 * Synchronises the density slider across a run's panels. Returns a function to call after this
 * panel's density changes. A panel that is drawn late starts at the density last chosen in another.
 */
function link(root, control) {
  const section = root.closest(".run");
  if (!section || !control) return () => {};
  const values = control.axis.values;
  let shared = null; // index of the density that the run's panels last agreed on
  if (section.dataset.density) {
    shared = nearest(values, Number(section.dataset.density));
    control.begin(shared);
  }
  section.addEventListener("density", ({detail}) => {
    if (detail.from === root) return;
    shared = nearest(values, detail.density);
    control.set(shared);
  });
  return () => {
    if (control.index === shared) return;
    shared = control.index;
    section.dataset.density = values[shared];
    section.dispatchEvent(
      new CustomEvent("density", {detail: {from: root, density: values[shared]}}),
    );
  };
}
