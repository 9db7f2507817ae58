// The live page: listens to the moments, looks closer when something has changed.
import { ask, listen, permitted } from "./api.js";
import { confusions, curve, histogram } from "./charts.js";
import { $, count, make, percent, span } from "./dom.js";
import { setUpDrawing } from "./draw.js";
import { showDreams, showFields, showFrames } from "./galleries.js";
import { showSnapshots } from "./snapshots.js";
import { setUpTheme } from "./theme.js";

const LOOK_EVERY = 2000;

let shape = null;
let moment = null;
let looked = null;
let saved = null;
let looking = false;
let again = false;

const told = (next) => {
  const before = moment;
  moment = next;
  $("trouble").hidden = next.error === null;
  $("trouble").textContent = next.error ?? "";
  showState(next.state);
  if (before && before.state !== next.state) announce(`The service is ${next.state}.`);
  $("pause").setAttribute("aria-pressed", String(next.paused));
  $("pause").textContent = next.paused ? "Resume feeding" : "Pause feeding";
  showTiles(next);
  if (before && next.drifts > before.drifts) announce(`The stream has changed: ${changed(next.last_drift)}.`);
  if (shape !== null && shape.classes !== next.classes) regroup(next.classes);
  if (shape === null) look();
};

const lost = () => {
  shape = looked = saved = null;
  showState("unreachable");
  $("trouble").hidden = false;
  $("trouble").textContent = "No connection to the service; trying again.";
};

function changed(drift) {
  return `event ${count(drift.seq)}, ${percent(drift.before)} wrong before, ${percent(drift.since)} then; ${drift.reaction}`;
}

function showState(state) {
  $("state").textContent = state;
  $("state").dataset.state = state;
}

function announce(text) {
  $("news").textContent = text;
}

function showTiles(now) {
  const { p50, p99, answers } = now.latency;
  const milliseconds = (seconds) => (seconds === null ? "–" : `${(1000 * seconds).toFixed(1)} ms`);
  const tiles = [
    ["learning", `${count(Math.round(now.frames_per_second))}/s`, `${count(now.frames)} frames learned`],
    ["waiting", count(now.waiting), now.paused ? "feeding is paused: 503" : behind(now)],
    ["phase", now.phase === "wake" ? "awake" : "asleep", `for ${span(now.at - now.since)}`],
    ["sleep owed", count(now.owed), `${count(now.sleeps)} sleeps, ${count(now.dreams)} dreams`],
    ["accuracy", percent(now.accuracy), `lately; ${percent(now.accuracy_overall)} of all`],
    ...(now.last_drift ? [["drifts", count(now.drifts), changed(now.last_drift)]] : []),
    ["classify p50", milliseconds(p50), answers ? `p99 ${milliseconds(p99)}, last ${answers}` : "nobody has asked yet"],
  ];
  $("tiles").replaceChildren(...tiles.map(([name, figure, more]) => make("div", {},
    make("dt", {}, name),
    make("dd", {}, make("span", { class: "figure" }, figure), make("span", { class: "more" }, more)))));
}

// How long frames that come now wait, at the rate of the last seconds.
function behind(now) {
  const lag = now.waiting / now.frames_per_second;
  return now.waiting && Number.isFinite(lag) ? `${span(lag)} behind` : `of ${count(now.accepted)} accepted`;
}

async function look() {
  if (looking || moment === null || document.hidden) return;
  const now = `${moment.seq} ${moment.reader_seq} ${moment.state}`;
  if (shape !== null && now === looked && !again) return;
  looking = true;
  try {
    if (shape === null) await meet();
    await Promise.all([
      permitted(lookBack()),
      permitted(lookAtGoodness()),
      permitted(ask("dreams").then((dreams) => showDreams(dreams, shape))),
    ]);
    await permitted(ask("fields").then((fields) => showFields(fields, shape)));
    again = now !== looked; // an answer may be a second old: the next one is not
    looked = now;
  } catch {
    looked = null;
  } finally {
    looking = false;
  }
}

async function meet() {
  const found = await ask("shape");
  showNetwork(found);
  $("version").textContent = `ffstream ${found.version}`;
  setUpDrawing(found);
  showModels(await ask("models"));
  shape = found;
}

// The other models of the service, each on a page of its own.
function showModels(models) {
  const named = /models\/([^/]+)\/$/;
  const own = location.pathname.match(named)?.[1] ?? models.find((model) => model.default).name;
  const root = location.pathname.replace(named, "");
  $("models").hidden = models.length < 2;
  $("models").replaceChildren(...models.map(({ name }) => make("a",
    { href: `${root}models/${name}/`, ...(name === own && { "aria-current": "page" }) }, name)));
}

function showNetwork(found) {
  const kind = found.recurrent ? "recurrent, " : found.tries_labels ? "" : "without labels, ";
  $("network").textContent = `${kind}${found.inputs}–${found.units.join("–")}, ${found.classes} labels`;
}

// The network has grown, or has gone back to a time when it knew fewer labels.
function regroup(classes) {
  announce(classes > shape.classes ? `New labels: ${classes} are known now.` : `Back to ${classes} labels.`);
  shape = { ...shape, classes };
  showNetwork(shape);
}

async function lookBack() {
  const look = await ask("recent");
  $("window").textContent = count(look.window);
  $("curve").replaceChildren(curve(look.curve, $("curve").clientWidth));
  showFrames(look.frames, shape);
  const { frames, counts } = look.confusion;
  $("confusion").replaceChildren(...(counts && frames ? [confusions(counts, shape)] : []));
  $("confusion-note").textContent = counts === null
    ? `Not shown: ${shape.classes} labels are too many for a table.`
    : frames ? `The last ${count(frames)} labelled frames, each predicted before it was learned.` : "No labelled frame yet.";
}

async function lookAtGoodness() {
  const look = await ask("goodness");
  $("goodness").replaceChildren(...look.layers.map(histogram));
  const positives = shape.tries_labels ? "labelled frames with their labels" : "frames as they are";
  $("goodness-note").replaceChildren(
    make("span", { class: "key key-positive" }), ` positives: the last ${look.positives} ${positives}. `,
    make("span", { class: "key key-negative" }), ` negatives: ${look.negatives} dreams of the last sleep. `,
    `Shares of single rows by their goodness, with the weights that answer now (event ${look.seq}), after learning from them.`);
}

// Says how it went, whichever way.
async function say(wish) {
  try {
    announce(await wish());
  } catch (error) {
    announce(`Refused: ${error.message}`);
  }
}

$("sleep").addEventListener("click", () => say(async () => {
  const planned = await ask("sleep", "POST");
  return planned.dreams ? `Asleep for ${count(planned.dreams)} dreams, event ${planned.seq}.` : "No sleep is owed.";
}));

$("snapshot").addEventListener("click", () => say(async () => `Snapshot ${(await ask("snapshots", "POST")).seq} is being saved.`));

$("pause").addEventListener("click", () => say(async () => {
  const { paused } = await ask("feeding", "PUT", { paused: !moment?.paused });
  if (moment) told({ ...moment, paused });
  return paused ? "Feeding is paused: frames are refused, what waits is learned." : "Feeding goes on.";
}));

setUpTheme();
listen((next) => {
  told(next);
  const newest = `${next.newest_snapshot} ${next.snapshots} ${next.state}`;
  if (newest !== saved) {
    saved = newest;
    showSnapshots(() => moment.frames, say).catch(() => { saved = null; });
  }
}, lost);
setInterval(look, LOOK_EVERY);
addEventListener("resize", () => { looked = null; });
document.addEventListener("visibilitychange", look);
