// Brings the panels of a page to life: a slider, what is shown, the chart, and the numbers at the slider in a table.
// Each panel is a <div class="panel"> around its data, as essparse_lib/figures/panel_chart.py writes it.
"use strict";

(() => {
  const address = document.currentScript.src;
  let embedding = null;

  /** Vega, from the folder of this file: fetched once, and only by pages that have a panel. */
  function vega() {
    embedding ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL("vega.js", address).href;
      script.onload = () => resolve(window.vegaEmbed);
      script.onerror = () => reject(new Error("vega.js is missing"));
      document.head.append(script);
    });
    return embedding;
  }

  /** An element with properties and children; null children are left out. */
  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  /** Check boxes in a frame: calls back with the values that are ticked. */
  function boxes(legend, values, ticked, colours, changed) {
    if (values.length < 2) return null;
    const inputs = values.map((value) => make("input", { type: "checkbox", value, checked: ticked.includes(value) }));
    const labels = inputs.map((input) => {
      const swatch = colours ? make("span", { className: "panel-swatch" }) : null;
      if (swatch) swatch.style.background = colours[input.value];
      return make("label", {}, input, swatch, input.value);
    });
    const frame = make("fieldset", {}, make("legend", { textContent: legend }), ...labels);
    frame.addEventListener("change", () => changed(inputs.filter((i) => i.checked).map((i) => i.value)));
    return frame;
  }

  /** One of several readings: calls back with the one that is chosen. */
  function choice(values, changed) {
    if (values.length < 2) return null;
    const options = values.map((value) => make("option", { value, textContent: value }));
    const select = make("select", {}, ...options);
    select.addEventListener("change", () => changed(select.value));
    return make("label", { className: "panel-choice" }, "Reading ", select);
  }

  /** The slider with its value: calls back with the place. */
  function slider({ from, to, step, start }, unit, label, changed) {
    const input = make("input", { type: "range", min: from, max: to, step, value: start });
    const output = make("output");
    const announce = () => {
      output.textContent = `${input.value}${unit}`;
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => {
      announce();
      changed(Number(input.value));
    });
    announce();
    return make("label", { className: "panel-slider" }, `${label} `, input, output);
  }

  /** A row for each line that is shown: what was measured nearest to the slider, or that nothing was. */
  function nearest({ rows, gap }, state) {
    const byLine = new Map();
    for (const row of rows) {
      if (row.reading !== state.reading) continue;
      if (!state.names.includes(row.name) || !state.kinds.includes(row.kind)) continue;
      const key = JSON.stringify([row.name, row.kind]);
      const near = row.place - state.place <= gap / 2 && state.place - row.place < gap / 2;
      if (near) byLine.set(key, row);
      else if (!byLine.has(key)) byLine.set(key, { name: row.name, kind: row.kind, text: "not measured" });
    }
    return [...byLine.values()];
  }

  /** The numbers at the slider, a row for each line that is shown. */
  function table(data, state) {
    const value = data.interval ? `${state.reading} [${data.interval}]` : state.reading;
    const titles = [data.kinds.length > 1 ? "line" : null, "at", value, data.mark && `${data.mark} (%)`];
    const head = make("tr", {}, make("th", { scope: "col", textContent: "" }));
    for (const title of titles.filter((t) => t)) head.append(make("th", { scope: "col", textContent: title }));
    const body = nearest(data, state).map((row) => {
      const swatch = make("span", { className: "panel-swatch" });
      swatch.style.background = data.colours[row.name];
      const line = make("tr", {}, make("th", { scope: "row" }, swatch, row.name));
      if (data.kinds.length > 1) line.append(make("td", { textContent: row.kind }));
      line.append(make("td", { textContent: row.place === undefined ? "" : `${row.place}${data.unit}` }));
      line.append(make("td", { textContent: row.text, title: row.seeds ? `seeds: ${row.seeds}` : "" }));
      if (data.mark) {
        const mark = data.marks.find(
          (m) => m.name === row.name && m.kind === row.kind && m.reading === state.reading,
        );
        line.append(make("td", { textContent: mark ? mark.text : "none" }));
      }
      return line;
    });
    return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  }

  /** Matrices of real weights: each pixel is one weight, and goes when the slider passes where pruning takes it. */
  function weights(matrices) {
    const drawings = matrices.map((matrix) => {
      const levels = Uint8Array.from(atob(matrix.levels), (c) => c.charCodeAt(0));
      const canvas = make("canvas", { width: matrix.columns, height: matrix.rows });
      canvas.setAttribute("role", "img");
      const caption = make("figcaption");
      return { ...matrix, levels, canvas, caption };
    });
    const show = (place) => {
      const level = Math.floor(place + 1e-9);
      const ink = getComputedStyle(document.body).color.match(/\d+/g).slice(0, 3).map(Number);
      for (const { levels, canvas, caption, component, gone } of drawings) {
        const brush = canvas.getContext("2d");
        const image = brush.createImageData(canvas.width, canvas.height);
        let kept = 0;
        levels.forEach((at, i) => {
          if (at < level) return; // it goes at (at + 1) percent
          kept += 1;
          // the larger a weight among all of the model's, the stronger its ink
          image.data.set([...ink, 40 + 2 * at], 4 * i);
        });
        brush.putImageData(image, 0, 0);
        const share = `${gone[level].toFixed(1)}% gone`;
        canvas.dataset.kept = kept;
        canvas.setAttribute("aria-label", `${component}: ${kept} of the ${levels.length} weights shown are left`);
        caption.replaceChildren(make("b", { textContent: component }), ` ${share}`);
      }
    };
    const figures = drawings.map(({ canvas, caption }) => make("figure", {}, canvas, caption));
    return { element: make("div", { className: "panel-weights" }, ...figures), show };
  }

  async function activate(element) {
    const data = JSON.parse(element.querySelector("script").textContent);
    const state = { place: data.slider.start, reading: data.readings[0], names: data.names, kinds: data.shown };
    const chart = make("div", { className: "panel-chart" });
    const numbers = make("div", { className: "panel-numbers", tabIndex: 0, role: "region", ariaLabel: "Numbers at the slider" });
    const pruned = data.weights ? weights(data.weights) : null;
    let view = null;

    function show(change) {
      Object.assign(state, change);
      numbers.replaceChildren(table(data, state));
      pruned?.show(state.place);
      if (!view) return;
      for (const name of ["place", "reading", "names", "kinds"]) view.signal(name, state[name]);
      view.runAsync();
    }

    const controls = make(
      "div",
      { className: "panel-controls" },
      slider(data.slider, data.unit, data.axis.split(" (")[0], (place) => show({ place })),
      choice(data.readings, (reading) => show({ reading })),
      boxes(data.legends[0], data.names, state.names, data.colours, (names) => show({ names })),
      boxes(data.legends[1], data.kinds, state.kinds, null, (kinds) => show({ kinds })),
    );
    element.append(controls, ...(pruned ? [pruned.element] : []), chart, numbers);
    show({});
    if (pruned) {
      const theme = new MutationObserver(() => show({}));
      theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    }
    const embed = await vega();
    const specification = { ...data.chart, datasets: { rows: data.rows, marks: data.marks } };
    ({ view } = await embed(chart, specification, { actions: false, renderer: "svg", ast: false }));
    show({});
    element.dataset.ready = "yes";
  }

  const start = () => document.querySelectorAll("div.panel").forEach((panel) => activate(panel));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
