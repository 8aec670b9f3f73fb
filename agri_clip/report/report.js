// Draws the charts of the page, in the colours of the screen or of paper.
(function () {
  "use strict";
  var page = JSON.parse(document.getElementById("figures").textContent);
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var pointer = window.matchMedia("(pointer: fine)");
  // Width of A4 and letter paper between the margins, in CSS pixels.
  var PAPER = 680;

  // A copy of a figure with the colours of a dark screen; other texts that look like a colour stay as they are.
  function recoloured(value, key, table) {
    if (Array.isArray(value)) {
      return value.map(function (item) { return recoloured(item, key, table); });
    }
    if (value !== null && typeof value === "object") {
      var copy = {};
      Object.keys(value).forEach(function (name) { copy[name] = recoloured(value[name], name, table); });
      return copy;
    }
    return /color$/.test(key) && Object.hasOwn(table, value) ? table[value] : value;
  }

  function draw(id, paper) {
    var place = document.getElementById(id);
    var figure = recoloured(page.charts[id], "", dark.matches && !paper ? page.dark : {});
    figure.layout.autosize = !paper;
    if (paper) {
      figure.layout.width = PAPER;
    }
    // A finger that scrolls the page must not zoom a chart.
    figure.layout.dragmode = pointer.matches ? "zoom" : false;
    window.Plotly.react(place, figure.data, figure.layout, {
      displaylogo: false,
      responsive: !paper,
      modeBarButtonsToRemove: ["select2d", "lasso2d"]
    });
  }

  function drawAll(paper) {
    Object.keys(page.charts).forEach(function (id) { draw(id, paper); });
  }

  Object.keys(page.charts).forEach(function (id) { document.getElementById(id).textContent = ""; });
  drawAll(false);

  document.querySelectorAll("button[data-chart]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      var shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      // The trace of the other traps is the last one.
      page.charts[button.dataset.chart].data.slice(-1)[0].visible = shown;
      draw(button.dataset.chart, false);
    });
  });

  dark.addEventListener("change", function () { drawAll(false); });
  window.addEventListener("beforeprint", function () { drawAll(true); });
  window.addEventListener("afterprint", function () { drawAll(false); });
})();
