"use strict";
(() => {
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { scale: 2 },
  };
  const plots = [];
  for (const node of document.querySelectorAll("script[data-figure]")) {
    const place = document.getElementById(node.dataset.figure);
    try {
      const figure = JSON.parse(node.textContent);
      Plotly.newPlot(place, figure.data, figure.layout, config);
      plots.push(place);
    } catch (error) {
      place.textContent = "This chart could not be drawn. The table has its numbers.";
      console.error(node.dataset.figure, error);
    }
  }
  // Paper has another width than the window.
  const fit = () => plots.forEach((place) => Plotly.Plots.resize(place));
  window.addEventListener("beforeprint", fit);
  window.addEventListener("afterprint", fit);
})();
