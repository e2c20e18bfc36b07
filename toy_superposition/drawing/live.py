"""Small pictures of a training while it runs: SVG, made in milliseconds and without matplotlib."""

import base64
import html
import struct
import zlib
from collections.abc import Sequence

import numpy as np

SOLID = 3  # maximum hidden dimensions that are drawn as arrows
MOST = 100  # features of a matrix
WIDTH, HEIGHT = 640, 150  # of the curves' room
EDGE = 1.6  # from the origin to the edge of a picture of arrows
# Columns: where the three axes of space point on paper.
OBLIQUE = np.array([[0.9, -0.45, 0.0], [-0.2, -0.3, 0.95]])
STYLE = """
.live { max-width: 60rem; } .live h2 { font-size: 1.1rem; }
.live .curves { width: 100%; max-width: 40rem; display: block; }
.live .models { display: grid; gap: .6rem;
  grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }
.live figure { margin: 0; padding: .3rem; border: 1px solid #8884; background: none; }
.live figure svg, .live figure img { width: 100%; aspect-ratio: 1; display: block; }
.live .matrix { image-rendering: pixelated; }
.live figcaption { font-size: .8rem; }
"""


def page_part(picture: str) -> str:
  """Returns a picture with its style, as a part of any page."""
  return f'<style>{STYLE}</style><div class="live">{picture}</div>'


def curves(steps: Sequence[int], losses: np.ndarray, last: int) -> str:
  """Returns the losses over training steps: their median, and thin, every model's.

  Args:
    steps: increasing.
    losses: (step, model); what is not finite is left out.
    last: step at which training will end.
  """
  known = losses[np.isfinite(losses) & (losses > 0)]
  if not len(known):
    return "<p>no finite loss yet</p>"
  low, high = np.log(known.min()), np.log(known.max())
  x = 75 + (WIDTH - 95) * np.asarray(steps) / max(1, last)

  def line(values: np.ndarray, style: str) -> str:
    kept = np.isfinite(values) & (values > 0)
    y = 10 + (HEIGHT - 40) * (high - np.log(values[kept])) / max(high - low, 1e-9)
    at = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[kept], y, strict=True))
    return f'<polyline points="{at}" fill="none" {style}/>'

  thin = 'stroke="currentColor" stroke-opacity=".2"'
  drawn = [line(values, thin) for values in losses.T]
  finite = np.where(np.isfinite(losses), losses, np.inf)
  drawn.append(line(np.median(finite, axis=1), 'stroke="#d62728" stroke-width="2"'))
  texts = [(70, 16, "end", f"{np.exp(high):.3g}"), (70, HEIGHT - 28, "end", f"{np.exp(low):.3g}")]
  texts += [(75, HEIGHT - 6, "start", "step 0"), (WIDTH - 20, HEIGHT - 6, "end", f"step {last}")]
  drawn += [_text(*text) for text in texts]
  return (
    f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="losses over '
    f'training steps, logarithmic: all models thin, their median red">{"".join(drawn)}</svg>'
  )


def model(W: np.ndarray, label: str) -> str:
  """Returns one model's features: as arrows in up to SOLID dimensions, else the matrix WᵀW.

  Args:
    W: (hidden, feature).
    label: of the model.
  """
  if not np.isfinite(W).all():
    picture = "<p>not finite</p>"
  else:
    picture = _arrows(W) if len(W) <= SOLID else _matrix(W)
  return f"<figure>{picture}<figcaption>{html.escape(label)}</figcaption></figure>"


def _arrows(W: np.ndarray) -> str:
  """Returns features as arrows from the origin; in one dimension each on a line of its own."""
  n = W.shape[1]
  starts = np.zeros((n, 2))
  if len(W) == 1:
    starts[:, 1] = np.linspace(-1, 1, n) if n > 1 else 0
    ends = np.stack([W[0], starts[:, 1]], axis=1)
  else:
    ends = W.T * [1, -1] if len(W) == 2 else W.T @ OBLIQUE.T * [1, -1]  # downwards in SVG
  edge = max(EDGE, 1.1 * float(np.abs(ends).max(initial=0)))
  parts = [f'<path d="M{-edge:g} 0H{edge:g}M0 {-edge:g}V{edge:g}" stroke-opacity=".25"/>']
  for i, ((x0, y0), (x1, y1)) in enumerate(zip(starts, ends, strict=True)):
    colour = f"hsl({360 * i // n} 65% 50%)"
    parts.append(
      f'<path d="M{x0:.3f} {y0:.3f}L{x1:.3f} {y1:.3f}" stroke="{colour}"/>'
      f'<circle cx="{x1:.3f}" cy="{y1:.3f}" r="{edge / 30:.3f}" fill="{colour}" stroke="none"/>'
    )
  return (
    f'<svg viewBox="{-edge:g} {-edge:g} {2 * edge:g} {2 * edge:g}" stroke="currentColor" '
    f'stroke-width="{edge / 50:.4f}" role="img" aria-label="features as arrows">'
    f"{''.join(parts)}</svg>"
  )


def _matrix(W: np.ndarray) -> str:
  """Returns WᵀW of the first MOST features, red where positive and blue where negative."""
  gram = np.clip(W[:, :MOST].T @ W[:, :MOST], -1, 1)[..., None]
  red, blue = np.array([200, 66, 47]), np.array([44, 111, 178])
  rgb = 255 + np.abs(gram) * (np.where(gram > 0, red, blue) - 255)
  source = base64.b64encode(_png(rgb.astype(np.uint8))).decode()
  return f'<img class="matrix" alt="WᵀW" src="data:image/png;base64,{source}">'


def _png(rgb: np.ndarray) -> bytes:
  """Returns the PNG file of an image (row, column, 3) of bytes."""

  def chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

  height, width, _ = rgb.shape
  rows = b"".join(b"\0" + row.tobytes() for row in rgb)
  head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
  return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _text(x: int, y: int, anchor: str, text: str) -> str:
  return (
    f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="12" fill="currentColor">'
    f"{html.escape(text)}</text>"
  )
