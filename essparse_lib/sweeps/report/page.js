"use strict";

// The slider: at each place the texts that the page was made with, and the mark in each drawing.
const places = JSON.parse(document.getElementById("places").textContent);
const slider = document.getElementById("slider");
const fields = document.querySelectorAll("[data-field]");
const cursors = document.querySelectorAll(".cursor");

function show() {
  const place = places[slider.value];
  slider.setAttribute("aria-valuetext", place.spoken);
  for (const field of fields) {
    field.textContent = place[field.dataset.field];
  }
  cursors.forEach((cursor, frame) => {
    const line = cursor.querySelector("line");
    const dot = cursor.querySelector("circle");
    line.setAttribute("x1", place.x[frame]);
    line.setAttribute("x2", place.x[frame]);
    dot.setAttribute("cx", place.x[frame]);
    dot.setAttribute("cy", place.y[frame]);
  });
}

slider.addEventListener("input", show);
show(); // a browser may remember where the slider stood
document.documentElement.dataset.ready = "";
