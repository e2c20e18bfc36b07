"use strict";
// Numbers of the page: unpacked, arranged, and written as text. Nothing here needs a document.

/** Returns k → row k of a packed array, flat, with null for what is not finite. */
function unpack({shape, scale, int16}) {
  const bytes = Uint8Array.from(atob(int16), (letter) => letter.charCodeAt(0));
  const numbers = new Int16Array(bytes.buffer);
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return (k) => {
    const row = scale.length === 1 ? 0 : k; // identical rows are stored once
    const part = numbers.subarray(row * size, (row + 1) * size);
    return Array.from(part, (x) => (x === -32768 ? null : x * scale[row]));
  };
}

const split = (flat, n) =>
  Array.from({length: flat.length / n}, (_, k) => flat.slice(k * n, k * n + n));
const range = (n) => Array.from({length: n}, (_, k) => k);
const show = (x, digits = 4) =>
  x === null || x === undefined ? "–" : String(Number(x.toPrecision(digits)));
const plain = (value) => (typeof value === "number" ? show(value) : value);
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Returns the index of the value nearest to a target on a logarithmic scale. */
function nearest(values, target) {
  if (values.includes(target)) return values.indexOf(target); // 0 has no logarithm
  const distances = values.map((value) => Math.abs(Math.log(value / target)));
  return distances.indexOf(Math.min(...distances));
}
