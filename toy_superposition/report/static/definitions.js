// What the page computes from a model's weights, as geometry/features.py does, and the words for
// what geometry/definitions.py decides. The page's data hold the decisions, made from all digits of the
// weights, so that no threshold stands here.

const DENSITY = "density p = 1 − S: how often a feature is active";

/** Returns WᵀW and each feature's norm, superposition and dimensionality. */
function measures(W) {
  const n = W[0].length,
    gram = range(n).map(() => new Array(n).fill(0));
  for (const row of W) {
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) gram[i][j] += row[i] * row[j];
  }
  const norm = gram.map((row, i) => Math.sqrt(Math.max(row[i], 0)));
  const along = gram.map((row, i) => row.map((x) => (norm[i] > 0 ? (x / norm[i]) ** 2 : 0)));
  const sums = along.map((row) => row.reduce((a, b) => a + b, 0));
  const superposition = sums.map((sum, i) => Math.max(sum - along[i][i], 0));
  const dimensionality = sums.map((sum, i) => (sum > 0 ? norm[i] ** 2 / sum : 0));
  return {gram, norm, superposition, dimensionality};
}

/** Returns the features that are not represented, which are those without a component. */
const absent = (component) => component.flatMap((c, i) => (c < 0 ? [i] : []));

/** Returns a feature's kind of component, in words. */
const kindOf = (kinds, c) => (c < 0 ? "not represented" : kinds[c]);

/** Returns in words how many of m neurons are monosemantic. */
const monosemantic = (chosen, m) =>
  `${chosen.length} of ${plural(m, "neuron")} ${chosen.length === 1 ? "is" : "are"} monosemantic`;
