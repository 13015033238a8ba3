"use strict";
(() => {
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { scale: 2 },
  };
  // On a phone, row labels keep the name and the accelerator, and the drawing gets the room.
  const brief = (label) => {
    const [name, rest = ""] = label.split("<br>");
    const [head, ...tail] = rest.split(" · ");
    return tail.length ? `${name}<br>${head}</span>` : name;
  };
  const narrow = (layout, width) => {
    if (width >= 640) return;
    layout.font.size = 11;
    for (const name of Object.keys(layout)) {
      if (name.startsWith("yaxis") && layout[name].ticktext) {
        layout[name].ticktext = layout[name].ticktext.map(brief);
        layout.margin.l = 84;
        layout.margin.r = Math.max(layout.margin.r * 0.8, 56); // as much smaller as the words in it
      }
    }
  };
  const plots = [];
  for (const node of document.querySelectorAll("script[data-figure]")) {
    const place = document.getElementById(node.dataset.figure);
    try {
      const figure = JSON.parse(node.textContent);
      narrow(figure.layout, place.clientWidth);
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
