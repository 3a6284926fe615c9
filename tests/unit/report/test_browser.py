"""The page in a real Chromium, as a reader has it: on a screen, in the dark, on a phone, on paper."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rallyflow.model.values import BenchmarkResults
from rallyflow.report.page import render

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]
REQUIRED = os.environ.get("RALLYFLOW_REQUIRE_BROWSER") == "1"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None and not REQUIRED:
        pytest.skip("needs chromium, which is not installed (RALLYFLOW_REQUIRE_BROWSER=1 makes this a failure)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(showcase, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(showcase, showcase.record.id), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small(showcase, tmp_path_factory):
    """The same run with one benchmark of it only: fewer charts to wait for."""
    path = tmp_path_factory.mktemp("page") / "small.html"
    of = [
        BenchmarkResults(run=showcase.record.id, step=step, scenario="")
        for step in ("list", "boot[users=5,fast_rpc=true]")
    ]
    path.write_text(render(showcase, showcase.record.id, of=of), encoding="utf-8")
    return path


class Visit:
    """A page that is open, with all that it complained about and asked for."""

    def __init__(self, browser, path: Path, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-charts=drawn]")

    def overflow(self):
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    def undrawn(self):
        """Return the titles of the charts without any mark of their data."""
        return self.page.evaluate(
            """[...document.querySelectorAll('figure.chart')]
                 .filter((f) => !['area path', 'rect path', 'line path', 'rule line']
                   .some((mark) => f.querySelector(`svg .mark-${mark}`)))
                 .map((f) => f.querySelector('strong').textContent)"""
        )

    def wide(self):
        """Return the titles of the charts that stick out of their frames."""
        return self.page.evaluate(
            """[...document.querySelectorAll('figure.chart')]
                 .filter((f) => f.querySelector('svg').getBoundingClientRect().right
                   > f.getBoundingClientRect().right + 1)
                 .map((f) => f.querySelector('strong').textContent)"""
        )

    def colour(self, selector, name):
        return self.page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{name}")


@pytest.fixture(scope="module")
def seen(browser, report):
    """The whole page, opened once."""
    visit = Visit(browser, report)
    yield visit
    visit.context.close()


@pytest.fixture(params=[320, 390, 768, 1200])
def narrow(browser, small, request):
    visit = Visit(browser, small, viewport={"width": request.param, "height": 800})
    yield visit
    visit.context.close()


@pytest.fixture(params=["light", "dark"])
def lit(seen, request):
    """The whole page in one of its two colour schemes."""
    seen.page.emulate_media(color_scheme=request.param)
    yield seen
    seen.page.emulate_media(color_scheme="light")


def test_every_chart_is_drawn_without_a_word_of_complaint_or_any_request(seen, report):
    assert seen.complaints == []
    assert seen.requests == [report.as_uri()]
    assert seen.page.locator("figure.chart svg").count() == seen.page.locator("figure.chart").count() > 40
    assert seen.undrawn() == []
    assert seen.page.title() == "cloud-bench: failed"  # nothing from a cloud ran as a script


def test_a_script_that_slipped_into_the_page_would_not_run(browser, small):
    hostile = small.with_name("hostile.html")
    slipped = "<script>document.title = 'owned'</script><b id=x onclick=\"document.title = 'owned'\">x</b></main>"
    hostile.write_text(small.read_text(encoding="utf-8").replace("</main>", slipped), encoding="utf-8")
    visit = Visit(browser, hostile)
    visit.page.locator("#x").click()
    title = visit.page.title()
    visit.context.close()
    assert title == "cloud-bench: failed"
    assert len(visit.complaints) == 2  # the policy stopped both


def test_charts_and_page_follow_the_dark(seen):
    parts = (
        ("html", "backgroundColor"),
        ("svg .role-axis-label text", "fill"),
        ("svg .mark-area path", "fill"),
    )
    light = [seen.colour(*part) for part in parts]
    seen.page.emulate_media(color_scheme="dark")
    dark = [seen.colour(*part) for part in parts]
    seen.page.emulate_media(color_scheme="light")
    assert all(one != other for one, other in zip(light, dark, strict=True))


def test_nothing_is_wider_than_the_screen(narrow):
    narrow.page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert narrow.overflow() <= 0
    assert narrow.wide() == []
    assert narrow.complaints == []


def test_a_link_to_a_cell_opens_it(seen):
    cell = seen.page.locator("details.cell").nth(3)
    assert cell.get_attribute("open") is None
    seen.page.locator("table.cells tbody tr").nth(3).locator("a").click()
    seen.page.wait_for_selector("details.cell[open]")
    assert cell.get_attribute("open") is not None
    assert cell.locator("svg").first.is_visible()
    seen.page.evaluate("document.querySelectorAll('details.cell').forEach((d) => (d.open = false))")


def test_text_has_contrast_in_light_and_dark(lit):
    assert lit.page.evaluate(_CONTRAST) == []


def test_paper_has_all_cells_and_light_colours(seen):
    seen.page.emulate_media(media="print", color_scheme="dark")
    assert seen.colour("html", "backgroundColor") == "rgb(255, 255, 255)"
    seen.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert seen.page.locator("details.cell:not([open])").count() == 0
    seen.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert seen.page.locator("details.cell[open]").count() == 0
    seen.page.emulate_media(media="screen", color_scheme="light")


# WCAG 2.1, success criterion 1.4.3: at least 4.5 between a text and what is behind it.
_CONTRAST = """() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const low = new Set();
  const texts = 'p, td, th, dt, dd, small, caption, .state, summary, li, h1, h2, figcaption span, code';
  for (const e of document.querySelectorAll(texts)) {
    if (!e.textContent.trim() || !e.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.add(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
  }
  return [...low];
}"""
