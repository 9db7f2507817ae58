// Frames, dreams and receptive fields.
import { $, make, named, percent, picture } from "./dom.js";

export function showFrames(frames, shape) {
  $("frames").replaceChildren(...frames.map((frame) => frameItem(frame, shape)));
  $("frames-note").textContent = notes(
    frames.length ? "Newest first: what was predicted before the frame was learned, and its label." : "None was learned yet.",
    shape.not_pictures && `No pictures: ${shape.not_pictures}.`,
  );
}

const notes = (...parts) => parts.filter(Boolean).join(" ");

function frameItem(frame, shape) {
  const label = frame.label === null ? null : named(shape, frame.label);
  const prediction = `${named(shape, frame.prediction)} ${percent(frame.probability, 0)}`;
  const verdict = { right: "✓", wrong: `✗ is ${label}`, unlabelled: "no label" }[frame.outcome];
  const alt = `Frame ${frame.id}, predicted ${prediction}, ${frame.outcome}${label === null ? "" : `, label ${label}`}`;
  const kind = { right: "right-answer", wrong: "wrong-answer", unlabelled: "" }[frame.outcome];
  return make("li", {},
    frame.pixels && shape.side ? picture(frame.pixels, shape.side, alt) : make("span", { class: "quiet" }, `#${frame.id}`),
    make("div", {}, prediction), make("div", { class: kind }, verdict));
}

export function showDreams(look, shape) {
  $("dreams").replaceChildren(...look.dreams.map((dream) => dreamItem(dream, shape)));
  const made = shape.tries_labels ? "A frame with a label that is not its own" : "A frame mixed with another by a mask";
  $("dreams-note").textContent = notes(
    look.seq === null ? "It has not slept since this process began." : `${made}: what the layers unlearned in event ${look.seq}.`,
    shape.not_pictures && `No pictures: ${shape.not_pictures}.`,
  );
}

function dreamItem(dream, shape) {
  const label = dream.label === null ? "no label" : `frame: ${named(shape, dream.label)}`;
  const dreamt = dream.dreamt === null ? "mixed" : `dreamt: ${named(shape, dream.dreamt)}`;
  const seen = dream.pixels && shape.side ? picture(dream.pixels, shape.side, `Frame ${dream.id}, ${label}`) : null;
  const pixels = dream.dream ?? dream.pixels;
  const made = pixels && shape.side ? picture(pixels, shape.side, `Its dream, ${dreamt}`) : null;
  return make("li", { class: "dream" }, make("div", { class: "pair" },
    make("div", {}, seen, make("div", {}, label)),
    make("div", {}, made, make("div", { class: "wrong-answer" }, dreamt))));
}

const POSITIVE = [22, 120, 210];
const NEGATIVE = [220, 100, 30];

function diverging(level) {
  const weight = (level - 127.5) / 127.5;
  return [...(weight > 0 ? POSITIVE : NEGATIVE), Math.round(255 * Math.min(1, Math.abs(weight)))];
}

export function showFields(look, shape) {
  const items = shape.side ? look.units.map((unit) => {
    const speaks = unit.speaks ? `, speaks ${unit.speaks} a row` : "";
    const shown = picture(unit.pixels, shape.side, `Unit ${unit.unit}${speaks}`, diverging, "field");
    shown.title = `unit ${unit.unit}${speaks}`;
    return make("li", {}, shown);
  }) : [];
  $("fields").replaceChildren(...items);
  const sided = look.units.some((unit) => unit.speaks) ? " The first half speak for a row, the others against it." : "";
  $("fields-note").textContent = shape.side
    ? items.length ? `Weights of ${items.length} units, each by its own largest: blue above 0, orange below.${sided}` : "Nothing is published yet."
    : `Not shown: ${shape.not_pictures}.`;
}
