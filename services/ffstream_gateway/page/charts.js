// Charts in plain SVG and tables.
import { count, draw, make, named, percent } from "./dom.js";

const HEIGHT = 190;
const LEFT = 40;
const BOTTOM = 22;

// As wide as its place, so that its text has the size of the page's.
export function curve(points, place) {
  const width = Math.min(900, Math.max(260, place));
  if (points.length === 0) return make("p", { class: "quiet" }, "No labelled frame has been learned yet.");
  const last = points[points.length - 1];
  const lowest = Math.min(...points.map((point) => point.accuracy));
  const floor = Math.max(0, Math.floor(lowest * 10 - 0.5) / 10);
  const first = points[0].labelled;
  const across = Math.max(1, last.labelled - first);
  const x = (labelled) => LEFT + ((labelled - first) / across) * (width - LEFT - 8);
  const y = (accuracy) => 8 + ((1 - accuracy) / (1 - floor || 1)) * (HEIGHT - BOTTOM - 8);
  const line = points.map((point) => `${x(point.labelled).toFixed(1)},${y(point.accuracy).toFixed(1)}`).join(" ");
  const summary = `Prequential accuracy, from ${percent(points[0].accuracy)} to ${percent(last.accuracy)} after ${count(last.labelled)} labelled frames`;
  const chart = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": summary });
  for (const share of [floor, (1 + floor) / 2, 1]) {
    chart.append(draw("line", { class: "axis", x1: LEFT, x2: width - 8, y1: y(share), y2: y(share) }));
    chart.append(draw("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share, 0)));
  }
  const base = HEIGHT - BOTTOM;
  chart.append(draw("polygon", { class: "area", points: `${x(first)},${base} ${line} ${x(last.labelled)},${base}` }));
  chart.append(draw("polyline", { class: "curve", points: line }));
  chart.append(draw("text", { x: LEFT, y: HEIGHT - 6 }, `${count(first)}`));
  chart.append(draw("text", { x: width - 8, y: HEIGHT - 6, "text-anchor": "end" }, `${count(last.labelled)} labelled frames`));
  return chart;
}

export function histogram(layer) {
  const [width, height, base] = [320, 130, 108];
  const { edges } = layer;
  const from = edges[0];
  const across = edges[edges.length - 1] - from;
  const x = (goodness) => 4 + ((goodness - from) / across) * (width - 8);
  const most = Math.max(1, ...layer.positives, ...layer.negatives);
  const summary = `Layer ${layer.layer}: positives around ${middle(edges, layer.positives)}, negatives around ${middle(edges, layer.negatives)}`;
  const chart = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summary });
  for (const [kind, rows] of [["negative", layer.negatives], ["positive", layer.positives]]) {
    rows.forEach((rowsIn, at) => {
      const tall = (rowsIn / most) * (base - 6);
      const attributes = { x: x(edges[at]), y: base - tall, width: Math.max(0, x(edges[at + 1]) - x(edges[at]) - 0.6), height: tall };
      if (rowsIn) chart.append(draw("rect", { class: `bar-${kind}`, ...attributes }));
    });
  }
  chart.append(draw("line", { class: "axis", x1: 0, x2: width, y1: base, y2: base }));
  chart.append(draw("line", { class: "threshold", x1: x(layer.threshold), x2: x(layer.threshold), y1: 2, y2: base }));
  chart.append(draw("text", { x: 4, y: height - 6 }, from.toFixed(2)));
  chart.append(draw("text", { x: width - 4, y: height - 6, "text-anchor": "end" }, edges[edges.length - 1].toFixed(2)));
  const place = Math.min(width - 60, Math.max(60, x(layer.threshold)));
  chart.append(draw("text", { x: place, y: height - 6, "text-anchor": "middle" }, `threshold ${Number(layer.threshold.toFixed(3))}`));
  return make("div", {}, make("h3", {}, `Layer ${layer.layer}`), chart);
}

function middle(edges, rows) {
  const total = rows.reduce((sum, each) => sum + each, 0);
  if (total === 0) return "nothing yet";
  const sum = rows.reduce((before, each, at) => before + (each * (edges[at] + edges[at + 1])) / 2, 0);
  return (sum / total).toFixed(2);
}

export function confusions(counts, shape) {
  const labels = counts.map((_, label) => named(shape, label));
  const head = make("tr", {}, make("td", { "aria-hidden": "true" }), ...labels.map((label) => make("th", { scope: "col" }, label)));
  const rows = counts.map((row, label) => {
    const all = row.reduce((sum, each) => sum + each, 0);
    const cells = row.map((times, predicted) => cell(times, all, label, predicted, labels));
    return make("tr", {}, make("th", { scope: "row" }, labels[label]), ...cells);
  });
  const caption = make("caption", {}, "rows: label, columns: prediction");
  return make("table", { class: "confusions" }, caption, make("thead", {}, head), make("tbody", {}, ...rows));
}

function cell(times, all, label, predicted, labels) {
  const share = all ? times / all : 0;
  const title = `${labels[label]} predicted as ${labels[predicted]}: ${times} of ${all}`;
  const kinds = [label === predicted ? "right" : "", share > 0.55 ? "strong" : ""].join(" ");
  const text = times && labels.length <= 16 ? String(times) : "";
  const found = make("td", { title, class: kinds }, text);
  found.style.setProperty("--share", `${Math.round(100 * Math.sqrt(share))}%`);
  return found;
}
