"""Pages in headless Chromium: opened from disk, with the network off."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

api = pytest.importorskip("playwright.sync_api", reason="needs playwright: the test extra has it")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needed = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, Debian's package")

# Software rendering, so that the three-dimensional plots have something to draw on.
ARGUMENTS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
ARGUMENTS += ["--no-sandbox"] if os.geteuid() == 0 else []
PACKED = 1e-4  # error of a packed number near 1
PATIENCE = 60_000  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
  with api.sync_playwright() as driver:
    started = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield started
    started.close()


@contextlib.contextmanager
def opened(
  browser, path: Path, width: int = 1280, scheme: str = "light", before: str = ""
) -> Iterator[Any]:
  """Yields the page in a browser without network; fails if the page logs an error or makes a
  request. `before` is JavaScript that runs before the page's own."""
  context = browser.new_context(
    viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True
  )
  view, errors, requests = context.new_page(), [], []
  view.set_default_timeout(PATIENCE)
  view.add_init_script(before)
  view.on(
    "console", lambda message: errors.append(message.text) if message.type == "error" else None
  )
  view.on("pageerror", lambda error: errors.append(str(error)))
  view.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}"))
  view.on("request", lambda request: requests.append(request.url))
  view.goto(path.as_uri())
  try:
    yield view
  finally:
    context.close()
  assert errors == []
  assert [url for url in requests if not url.startswith(("data:", "blob:"))] == [path.as_uri()]


def drawn(panel, number: int) -> dict[str, Any]:
  """Returns trace name → trace of the panel's plot, as the plotting library has it now."""
  plot = panel.locator(".plot").nth(number)
  plot.locator(".main-svg").first.wait_for(state="attached")
  script = "gd => gd.data.map(t => JSON.parse(JSON.stringify(t)))"
  return {trace.get("name"): trace for trace in plot.evaluate(script)}


def show(view, kind: str, run: str = "") -> Any:
  """Scrolls to a panel, which draws it, and returns it."""
  within = f"#{run} " if run else ""
  panel = view.locator(f"{within}.panel[data-kind={kind}]").first
  panel.scroll_into_view_if_needed()
  panel.locator(".plot .main-svg").first.wait_for(state="attached")
  return panel


def slider(panel, axis: str) -> Any:
  return panel.locator(f"[data-axis={axis}]")


def press(panel, axis: str, key: str, times: int = 1) -> None:
  for _ in range(times):
    slider(panel, axis).press(key)


def points(trace: dict[str, Any], *letters: str) -> np.ndarray:
  return np.array([trace[letter] for letter in letters], float)
