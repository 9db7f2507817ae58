// Elements made of data; text only ever becomes text, never markup.

export const $ = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function bytes(encoded) {
  return Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
}

// A picture of bytes; `shade` gives red, green, blue and opacity of one of them.
export function picture(encoded, side, label, shade = (level) => [level, level, level, 255], kind = "") {
  const canvas = make("canvas", { width: side, height: side, class: `picture ${kind}`, role: "img", "aria-label": label });
  const image = new ImageData(side, side);
  bytes(encoded).forEach((level, at) => image.data.set(shade(level), 4 * at));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

export const percent = (share, digits = 1) => (share === null ? "–" : `${(100 * share).toFixed(digits)} %`);

export const count = (number) => number.toLocaleString("en");

export function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

export const named = (shape, label) => {
  const name = shape.names?.[label] ?? String(label);
  return name.trim() === "" ? `“${name}”` : name;
};
