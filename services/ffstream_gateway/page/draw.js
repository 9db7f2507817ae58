// A box to draw in or to drop an image on, and what every layer makes of it.
import { ask } from "./api.js";
import { $, make, named, percent } from "./dom.js";

const SIZE = 280;
const PEN = 34;
const PEN_PIXELS = 1.7;
const STEP = 14;
const FINE = 8;
const SOON = 120;

export function setUpDrawing(shape) {
  const place = $("draw");
  if (shape.side === null) {
    place.replaceChildren(make("p", { class: "quiet" }, `Not shown: ${shape.not_pictures}. POST /explain takes any frame.`));
    return;
  }
  const help = "Draw with the pointer, or with the arrow keys while this is focused: space lowers and lifts the pen, Escape clears.";
  const box = make("canvas", { id: "box", class: "box", width: SIZE, height: SIZE, tabindex: 0, role: "application", "aria-label": `Drawing box. ${help}` });
  const seen = make("canvas", { id: "seen", class: "picture", width: shape.side, height: shape.side, role: "img", "aria-label": "What the network gets" });
  const clear = make("button", { type: "button", id: "clear" }, "Clear");
  const input = make("input", { type: "file", id: "image", accept: "image/*" });
  const file = make("label", { class: "file" }, "Image…", input);
  const said = make("p", { "aria-live": "polite" });
  const answer = make("div", { id: "answer", class: "answer scroll" });
  place.replaceChildren(
    make("div", { class: "drawing" }, box, make("div", { class: "tools" }, seen, clear, file)),
    make("p", { class: "quiet" }, "Draw light on dark, or drop or choose an image (light grounds are inverted). It is fitted to the frame, classified, never learned."),
    said, answer);
  new Drawing(shape, box, seen, said, answer).connect(clear, input);
}

class Drawing {
  constructor(shape, box, seen, said, answer) {
    Object.assign(this, { shape, box, seen, said, answer, pen: null, lowered: false, cursor: [SIZE / 2, SIZE / 2], asked: 0 });
    this.ink = box.getContext("2d", { willReadFrequently: true });
    this.clear();
  }

  connect(clear, input) {
    const { box } = this;
    clear.addEventListener("click", () => this.clear());
    input.addEventListener("change", () => input.files[0] && this.load(input.files[0]));
    box.addEventListener("pointerdown", (event) => { box.setPointerCapture(event.pointerId); this.pen = null; this.stroke(this.at(event)); });
    box.addEventListener("pointermove", (event) => { if (event.buttons & 1) this.stroke(this.at(event)); });
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("dragover", (event) => { event.preventDefault(); box.classList.add("over"); });
    box.addEventListener("dragleave", () => box.classList.remove("over"));
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      box.classList.remove("over");
      if (event.dataTransfer.files[0]) this.load(event.dataTransfer.files[0]);
    });
  }

  at(event) {
    const edge = this.box.getBoundingClientRect();
    return [((event.clientX - edge.left) / edge.width) * SIZE, ((event.clientY - edge.top) / edge.height) * SIZE];
  }

  key(event) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (event.key === "Escape") this.clear();
    else if (event.key === " ") {
      this.lowered = !this.lowered;
      this.pen = null;
      if (this.lowered) this.stroke(this.cursor);
    } else if (moves[event.key]) {
      this.cursor = this.cursor.map((place, axis) => Math.min(SIZE, Math.max(0, place + moves[event.key][axis])));
      if (this.lowered) this.stroke(this.cursor);
    } else return;
    event.preventDefault();
  }

  clear() {
    this.ink.fillStyle = "#000";
    this.ink.fillRect(0, 0, SIZE, SIZE);
    this.pen = null;
    this.lowered = false;
    this.asked += 1;
    clearTimeout(this.soon);
    this.seen.getContext("2d").clearRect(0, 0, this.shape.side, this.shape.side);
    this.say();
  }

  say(words = [], table = []) {
    this.said.replaceChildren(...words);
    this.answer.replaceChildren(...table);
  }

  stroke(to) {
    const from = this.pen ?? to;
    Object.assign(this.ink, { lineWidth: Math.max(PEN, (PEN_PIXELS * SIZE) / this.shape.side), lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
    this.ink.beginPath();
    this.ink.moveTo(...from);
    this.ink.lineTo(to[0] + 0.01, to[1]);
    this.ink.stroke();
    this.pen = to;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.explain(), SOON);
  }

  async load(file) {
    this.clear();
    let image;
    try {
      image = await createImageBitmap(file);
    } catch {
      this.say([make("span", { class: "wrong-answer" }, "This file is no image that the browser can read.")]);
      return;
    }
    const scale = Math.min(SIZE / image.width, SIZE / image.height);
    const [width, height] = [image.width * scale, image.height * scale];
    this.ink.drawImage(image, (SIZE - width) / 2, (SIZE - height) / 2, width, height);
    this.darken((SIZE - width) / 2 + 1, (SIZE - height) / 2 + 1);
    await this.explain();
  }

  // Grey, and light on dark: a light corner means that it is the other way round.
  darken(left, top) {
    const image = this.ink.getImageData(0, 0, SIZE, SIZE);
    const corner = 4 * (Math.floor(top) * SIZE + Math.floor(left));
    const inverted = image.data[corner] + image.data[corner + 1] + image.data[corner + 2] > 384;
    for (let at = 0; at < image.data.length; at += 4) {
      const [x, y] = [(at / 4) % SIZE, Math.floor(at / 4 / SIZE)];
      const inside = x >= left - 1 && x < SIZE - left + 1 && y >= top - 1 && y < SIZE - top + 1;
      const grey = 0.299 * image.data[at] + 0.587 * image.data[at + 1] + 0.114 * image.data[at + 2];
      image.data.fill(inverted && inside ? 255 - grey : grey, at, at + 3);
    }
    this.ink.putImageData(image, 0, 0);
  }

  frame() {
    const found = fitted(this.ink, this.shape.side);
    const image = new ImageData(this.shape.side, this.shape.side);
    found.forEach((value, at) => image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * at));
    this.seen.getContext("2d").putImageData(image, 0, 0);
    return found;
  }

  async explain() {
    const asked = (this.asked += 1);
    const frame = this.frame();
    try {
      const explained = await ask("explain", "POST", { frame });
      if (asked === this.asked) this.say(...verdict(explained, this.shape));
    } catch (error) {
      if (asked === this.asked) this.say([make("span", { class: "wrong-answer" }, error.message)]);
    }
  }
}

// What is drawn, moved to the middle and scaled so that it takes its share of a frame; averaged down to its pixels.
function fitted(ink, side) {
  const [left, top, right, bottom] = bounds(ink.getImageData(0, 0, SIZE, SIZE).data);
  const share = side >= 20 ? 20 / 28 : 1;
  const fine = new OffscreenCanvas(side * FINE, side * FINE).getContext("2d");
  const scale = (share * side * FINE) / Math.max(right - left, bottom - top);
  const [width, height] = [(right - left) * scale, (bottom - top) * scale];
  fine.drawImage(ink.canvas, left, top, right - left, bottom - top, (side * FINE - width) / 2, (side * FINE - height) / 2, width, height);
  const { data } = fine.getImageData(0, 0, side * FINE, side * FINE);
  return Array.from({ length: side * side }, (_, at) => mean(data, side, at % side, Math.floor(at / side)));
}

function mean(data, side, column, row) {
  let sum = 0;
  for (let y = row * FINE; y < (row + 1) * FINE; y += 1)
    for (let x = column * FINE; x < (column + 1) * FINE; x += 1) sum += data[4 * (y * side * FINE + x)];
  return Math.round((1000 * sum) / (255 * FINE * FINE)) / 1000;
}

function bounds(data) {
  let [left, top, right, bottom] = [SIZE, SIZE, 0, 0];
  for (let y = 0; y < SIZE; y += 1)
    for (let x = 0; x < SIZE; x += 1)
      if (data[4 * (y * SIZE + x)] > 40) {
        left = Math.min(left, x);
        right = Math.max(right, x + 1);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y + 1);
      }
  return right > left ? [left, top, right, bottom] : [0, 0, SIZE, SIZE];
}

// What is said, and the table that it rests on.
function verdict(explained, shape) {
  if (explained.status === "cold") return [["Nothing is learned yet: every label is as likely."]];
  const best = explained.by_goodness ?? explained.one_pass;
  const other = explained.by_goodness
    ? ` One pass says ${named(shape, explained.one_pass.label)} (${percent(explained.one_pass.scores[explained.one_pass.label], 0)}).`
    : "";
  const strange = ` Familiar: ${percent(best.p_positive, 0)}.`;
  const label = make("strong", { id: "looks-like" }, named(shape, best.label));
  return [["Looks like ", label, ` (${percent(best.scores[best.label], 0)}).${other}${strange}`], [byLabel(explained, best, shape)]];
}

function byLabel(explained, best, shape) {
  const depth = explained.neutral.length;
  const layers = Array.from({ length: depth }, (_, at) => make("th", { scope: "col" }, `layer ${at + 1}`));
  const head = make("tr", {}, make("th", { scope: "col" }, "label"), make("th", { scope: "col" }, "score"), ...(explained.goodness ? layers : []));
  const order = best.scores.map((_, label) => label);
  if (order.length > 16) order.sort((one, two) => best.scores[two] - best.scores[one]).splice(16);
  const rows = order.map((label) => {
    const meter = make("meter", { class: "meter", min: 0, max: 1, value: best.scores[label].toFixed(4), "aria-label": percent(best.scores[label]) });
    const goodness = (explained.goodness?.[label] ?? []).map((value) => make("td", {}, value.toFixed(3)));
    return make("tr", { class: label === best.label ? "best" : null }, make("th", { scope: "row" }, named(shape, label)), make("td", {}, meter), ...goodness);
  });
  const neutral = explained.neutral.map((value) => value.toFixed(3)).join(", ");
  const caption = explained.goodness ? "Goodness with every label" : `Layers see no label; goodness as it is: ${neutral}`;
  return make("table", {}, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...rows));
}
