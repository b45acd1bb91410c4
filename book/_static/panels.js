// Brings the panels of a page to life: a slider, what is drawn, the chart, and the numbers at the slider in a table.
// Each panel is a <div class="panel"> around its data, as essparse_lib/figures/panel_chart.py writes it.
"use strict";

(() => {
  const address = document.currentScript.src;
  const SVG = "http://www.w3.org/2000/svg";
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

  /** A text as it begins a line; a Greek letter is a symbol, and stays as it is. */
  const capitalised = (text) => text.replace(/^[a-z]/, (letter) => letter.toUpperCase());

  /** A number with its unit, such as 40% or 8,000 steps. */
  const measure = (place, unit) => `${place.toLocaleString("en")}${unit}`;

  // Colours: those of the static figures, and in the dark as much lighter as the eye needs.

  const isDark = () => document.documentElement.dataset.theme === "dark";

  /** A colour of its own, or in the dark one mixed with white until it has a contrast of three to the page. */
  function ink(colour) {
    const channels = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const luminance = (rgb) => rgb.reduce((sum, c, i) => sum + [0.2126, 0.7152, 0.0722][i] * linear(c), 0);
    let mixed = channels;
    for (let white = 0; isDark() && luminance(mixed) < 0.13 && white < 1; white += 0.05) {
      mixed = channels.map((c) => c + (1 - c) * white);
    }
    return `#${mixed.map((c) => Math.round(255 * c).toString(16).padStart(2, "0")).join("")}`;
  }

  /** A part of a line as the chart draws it: its colour, dashes and points, as far as they are given. */
  function sample({ colour, dash, shape }) {
    const picture = document.createElementNS(SVG, "svg");
    const wide = dash !== undefined;
    const attributes = { class: "panel-sample", viewBox: wide ? "-16 -6 32 12" : "-6 -6 12 12", "aria-hidden": "true" };
    for (const [name, value] of Object.entries(attributes)) picture.setAttribute(name, value);
    picture.style.width = wide ? "32px" : "12px";
    if (colour) {
      picture.dataset.colour = colour;
      picture.style.color = ink(colour);
    }
    const draw = (tag, properties) => {
      const part = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(properties)) part.setAttribute(name, value);
      picture.append(part);
    };
    const line = { stroke: "currentColor", "stroke-width": 1.8, "stroke-dasharray": (dash ?? []).join(" ") };
    if (wide) draw("path", { d: "M-16,0H16", fill: "none", ...line });
    if (shape) draw("path", { d: shape, fill: "currentColor", transform: "scale(4)" });
    return picture;
  }

  // Controls

  /** Check boxes of one group of lines in a frame, each beside what it looks like. */
  function boxes({ channel, title, values, ticked }, looks, changed) {
    if (!title) return null;
    const look = (value) => {
      const own = { [channel]: looks[channel][value] };
      return sample(channel === "colour" ? { ...own, shape: "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0Z" } : own);
    };
    if (values.length < 2) return make("p", { className: "panel-single" }, `${capitalised(title)}: ${values[0]}`);
    const inputs = values.map((value) => make("input", { type: "checkbox", value, checked: ticked.includes(value) }));
    const labels = inputs.map((input) => make("label", {}, input, look(input.value), input.value));
    const frame = make("fieldset", {}, make("legend", { textContent: capitalised(title) }), ...labels);
    frame.addEventListener("change", () => changed(inputs.filter((i) => i.checked).map((i) => i.value)));
    return frame;
  }

  /** One of several readings: calls back with the one that is chosen. */
  function choice(values, changed) {
    if (values.length < 2) return null;
    const options = values.map((value) => make("option", { value, textContent: value }));
    const select = make("select", {}, ...options);
    select.addEventListener("change", () => changed(select.value));
    return make("label", { className: "panel-choice" }, "Show ", select);
  }

  /** The slider with its value: calls back with the place. */
  function slider({ from, to, step, start }, unit, label, changed) {
    const input = make("input", { type: "range", min: from, max: to, step, value: start });
    const output = make("output");
    const announce = () => {
      output.textContent = measure(input.valueAsNumber, unit);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => {
      announce();
      changed(input.valueAsNumber);
    });
    announce();
    const element = make("label", { className: "panel-slider" }, `${capitalised(label)} `, input, output);
    return { element, place: input.valueAsNumber }; // a start between two steps has been moved to one of them
  }

  // Numbers

  /** The numbers of all lines that have the reading. */
  function measured({ rows }, reading) {
    return new Set(rows.filter((row) => row.reading === reading).map((row) => row.line));
  }

  /** The numbers of the lines that are drawn: those that have the reading, and whose every group is ticked. */
  function drawn(data, state) {
    const known = measured(data, state.reading);
    const isTicked = (line) => data.groups.every(({ channel }) => state.ticked[channel].includes(line[channel]));
    return data.lines.flatMap((line, number) => (known.has(number) && isTicked(line) ? [number] : []));
  }

  /** Of each line that is drawn the row measured nearest to the slider; of two as near, the one at the right. */
  function nearest({ rows }, state, lines) {
    return lines.map((line) => {
      const places = rows.filter((row) => row.line === line && row.reading === state.reading);
      const distance = (row) => Math.abs(row.place - state.place) + (row.place < state.place ? 1e-9 : 0);
      return places.reduce((best, row) => (distance(row) < distance(best) ? row : best));
    });
  }

  /** The values that lines have, of the groups in which they differ; or, with ``alike``, of the others. */
  function names({ groups, lines }, numbers, alike) {
    const isAlike = ({ channel }) => numbers.every((number) => lines[number][channel] === lines[numbers[0]][channel]);
    const channels = groups.filter((group) => group.title && isAlike(group) === alike).map(({ channel }) => channel);
    return (number) => channels.map((channel) => lines[number][channel]).join(", ");
  }

  /** Where the numbers were measured, against where the slider stands. */
  function standing({ unit }, place, rows) {
    const places = [...new Set(rows.map((row) => row.place))];
    const here = measure(place, unit);
    if (places.length > 1) return `The slider stands at ${here}; each row says where it was measured.`;
    if (places[0] === place) return `Measured at ${here}.`;
    return `Measured at ${measure(places[0], unit)}; the slider stands at ${here}.`;
  }

  /** The sentences over the numbers: where they were measured, and what all lines have in common. */
  function heading(data, place, rows) {
    const numbers = rows.map((row) => row.line);
    const common = rows.length > 1 ? names(data, numbers, true)(numbers[0]) : "";
    return `${standing(data, place, rows)}${common ? ` All lines: ${common}.` : ""}`;
  }

  /** The numbers at the slider, a row for each line that is drawn. */
  function table(data, state, rows) {
    const places = new Set(rows.map((row) => row.place));
    const columns = {
      ...(places.size > 1 ? { "measured at": (row) => measure(row.place, data.unit) } : {}),
      [data.interval ? `${state.reading} [${data.interval}]` : state.reading]: (row) => row.text,
      ...(data.mark ? { [data.mark]: (row) => markOf(data, row) } : {}),
    };
    // on a phone a row is a card, and roles keep what it means
    const cell = (tag, role, ...children) => {
      const element = make(tag, {}, ...children);
      element.setAttribute("role", role);
      return element;
    };
    const heads = ["line", ...Object.keys(columns)].map((title) => cell("th", "columnheader", title));
    const nameOf = names(data, rows.map((row) => row.line), rows.length === 1); // a line alone has its whole name
    const body = rows.map((row) => {
      const looks = Object.fromEntries(
        data.groups.map(({ channel }) => [channel, data.looks[channel][data.lines[row.line][channel]]]),
      );
      const cells = Object.entries(columns).map(([title, text]) => {
        const element = cell("td", "cell", make("span", { textContent: text(row) }));
        element.dataset.title = title;
        return element;
      });
      cells.at(data.mark ? -2 : -1).title = row.seeds ? `by seed: ${row.seeds}` : "";
      return cell("tr", "row", cell("th", "rowheader", sample(looks), nameOf(row.line)), ...cells);
    });
    return cell("table", "table", cell("thead", "rowgroup", cell("tr", "row", ...heads)), cell("tbody", "rowgroup", ...body));
  }

  function markOf({ marks }, { line, reading }) {
    return marks.find((mark) => mark.line === line && mark.reading === reading)?.text ?? "none";
  }

  /** How many lines are drawn, and how to have others. */
  function count(data, state, lines) {
    const all = measured(data, state.reading).size;
    if (lines.length === all) return all === 1 ? "The only line is drawn." : `All ${all} lines are drawn.`;
    return `${lines.length} of ${all} lines ${lines.length === 1 ? "is" : "are"} drawn; tick others.`;
  }

  /** Why no line is drawn. */
  function emptiness({ groups }, { ticked }) {
    const bare = groups.find(({ channel, title }) => title && !ticked[channel].length);
    if (bare) return `No line is drawn: nothing is ticked under “${capitalised(bare.title)}”.`;
    return "No line is drawn: what is ticked was not measured together.";
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

  // The chart

  /** The chart in a box: drawn as wide as the box is, whenever that changes, and anew in the colours of the theme. */
  function chart(box, data, state) {
    const frame = make("div"); // the box itself stays as wide as the panel, whatever is drawn in it
    let view = null;
    let embedded = 0;
    box.append(frame);

    const width = () => Math.max(200, box.clientWidth);

    /** Draw what the state says. A chart without a line stays as it is, out of sight. */
    async function update() {
      const lines = drawn(data, state);
      if (!view || !lines.length) return;
      const marked = data.marks.filter(
        (mark) => mark.reading === state.reading && mark.value !== undefined && lines.includes(mark.line),
      );
      const strip = marked.length ? data.strip.label + data.strip.mark * marked.length : 0;
      const signals = { place: state.place, reading: state.reading, drawn: lines, strip };
      for (const [signal, value] of Object.entries(signals)) view.signal(signal, value);
      await view.width(width()).height(data.strip.above + strip).runAsync();
    }

    async function embed() {
      const number = (embedded += 1);
      const vegaEmbed = await vega();
      const layout = { width: width(), autosize: { type: "fit-x", contains: "padding" } };
      const colours = new Map(Object.values(data.looks.colour).map((colour) => [colour, ink(colour)]));
      const themed = (_, value) => colours.get(value) ?? value;
      const specification = JSON.parse(JSON.stringify({ ...data.chart, ...layout }), themed);
      specification.datasets = { rows: data.rows, marks: data.marks };
      const tooltip = { theme: isDark() ? "dark" : "light" };
      const result = await vegaEmbed(frame, specification, { actions: false, renderer: "svg", ast: false, tooltip });
      if (number !== embedded) return result.finalize(); // the theme changed again meanwhile
      view = result.view;
      await update();
    }

    new ResizeObserver(() => {
      if (view && view.width() !== width()) update();
    }).observe(box);
    return { update, embed };
  }

  async function activate(element) {
    const data = JSON.parse(element.querySelector("script").textContent);
    const ticked = Object.fromEntries(data.groups.map(({ channel, ticked }) => [channel, ticked]));
    const state = { reading: data.readings[0], ticked };
    const box = make("div", { className: "panel-chart" });
    const empty = make("p", { className: "panel-empty" });
    const counted = make("p", { className: "panel-count" });
    const numbers = make("div", { className: "panel-numbers" });
    for (const live of [empty, counted, numbers]) live.setAttribute("aria-live", "polite");
    const pruned = data.weights ? weights(data.weights) : null;
    const picture = chart(box, data, state);

    function show(change) {
      Object.assign(state, change);
      const lines = drawn(data, state);
      const rows = nearest(data, state, lines);
      counted.textContent = count(data, state, lines);
      empty.textContent = lines.length ? "" : emptiness(data, state);
      box.hidden = !lines.length;
      numbers.replaceChildren(
        ...(rows.length ? [make("p", { textContent: heading(data, state.place, rows) }), table(data, state, rows)] : []),
      );
      pruned?.show(state.place);
      return picture.update();
    }

    const tick = (channel) => (values) => show({ ticked: { ...state.ticked, [channel]: values } });
    const axis = data.axis.split(" (")[0];
    const { element: handle, place } = slider(data.slider, data.unit, axis, (at) => show({ place: at }));
    const controls = make(
      "div",
      { className: "panel-controls" },
      handle,
      choice(data.readings, (reading) => show({ reading })),
      ...data.groups.map((group) => boxes(group, data.looks, tick(group.channel))),
      counted,
    );
    element.append(controls, ...(pruned ? [pruned.element] : []), box, empty, numbers);
    show({ place });
    const theme = new MutationObserver(() => {
      for (const painted of controls.querySelectorAll("[data-colour]")) painted.style.color = ink(painted.dataset.colour);
      show({});
      picture.embed();
    });
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    await picture.embed();
    element.dataset.ready = "yes";
  }

  const start = () => document.querySelectorAll("div.panel").forEach((panel) => activate(panel));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
