"use strict";
// Draws every chart of the page. Colours are names of the style sheet, so that dark mode and print need no redraw.
(() => {
  const figures = [...document.querySelectorAll("figure.chart")];
  const narrow = window.matchMedia("screen and (max-width: 46rem)");
  const font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
  const drawn = new Map(); // figure -> width that it was drawn for

  const rows = (columns) => {
    const names = Object.keys(columns);
    return columns[names[0]].map((_, index) => Object.fromEntries(names.map((name) => [name, columns[name][index]])));
  };

  const config = (width) => ({
    background: null,
    font,
    aria: false,
    view: { stroke: null },
    axis: {
      labelColor: "var(--muted)", titleColor: "var(--soft)", titleFontWeight: 500, titleFontSize: 12, labelFontSize: 12,
      gridColor: "var(--grid)", domainColor: "var(--line)", tickColor: "var(--line)", titlePadding: 8,
    },
    axisX: { grid: false, tickCount: Math.max(3, Math.floor(width / 90)), labelOverlap: true },
    axisY: { domain: false, ticks: false, tickCount: 5 },
    legend: {
      orient: "top", direction: "horizontal", columns: Math.max(1, Math.floor(width / 190)), labelColor: "var(--soft)",
      labelFontSize: 12, labelLimit: Math.min(260, width - 40), symbolType: "square", symbolStrokeWidth: 0, offset: 14, rowPadding: 5,
    },
    text: { font, fontSize: 11 },
  });

  // Within closed details nothing has a size: then it is what the layout of the style sheet will give.
  const widthOf = (figure) => {
    const plot = figure.querySelector(".plot");
    if (plot.clientWidth) return plot.clientWidth;
    const page = document.querySelector("main").clientWidth - (figure.closest("details") ? (narrow.matches ? 24 : 38) : 0);
    const column = narrow.matches || figure.classList.contains("wide") ? page : (page - 22) / 2;
    return Math.max(200, Math.floor(column) - (narrow.matches ? 26 : 38));
  };

  const draw = async (figure) => {
    const width = widthOf(figure);
    if (Math.abs((drawn.get(figure) ?? -100) - width) < 8) return;
    drawn.set(figure, width);
    const plot = figure.querySelector(".plot");
    try {
      const { spec, data } = JSON.parse(figure.querySelector("script").textContent);
      const datasets = Object.fromEntries(Object.entries(data).map(([name, columns]) => [name, rows(columns)]));
      await window.vegaEmbed(
        plot,
        { ...spec, datasets, width, autosize: { type: "fit-x", contains: "padding" } },
        { actions: false, renderer: "svg", ast: true, config: config(width), tooltip: { theme: "rf", disableDefaultStyle: false } },
      );
    } catch (error) {
      plot.textContent = "This chart could not be drawn.";
      console.error(error);
    }
  };

  const idle = () => new Promise((go) => (window.requestIdleCallback ? window.requestIdleCallback(go) : setTimeout(go)));

  // What can be seen first, then the rest, so that opening a section or printing finds its charts there.
  const drawAll = async () => {
    const visible = (figure) => figure.querySelector(".plot").clientWidth > 0;
    for (const figure of figures.filter(visible)) await draw(figure);
    for (const figure of figures) {
      await idle();
      await draw(figure);
    }
    document.documentElement.dataset.charts = "drawn";
  };

  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 150);
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.open) event.target.querySelectorAll("figure.chart").forEach(draw);
  }, true);

  // A link to a cell opens it; paper has no closed sections.
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  };
  window.addEventListener("hashchange", reveal);
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details.cell:not([open])")];
    closed.forEach((details) => (details.open = true));
  });
  window.addEventListener("afterprint", () => closed.forEach((details) => (details.open = false)));

  reveal();
  drawAll();
})();
