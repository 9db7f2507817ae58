// Snapshots, and going back to one.
import { ask } from "./api.js";
import { $, count, make, percent } from "./dom.js";

export async function showSnapshots(learned, say) {
  const saved = await ask("snapshots");
  if (saved.length === 0) {
    $("snapshots").replaceChildren(make("p", { class: "quiet" }, "None yet; “Snapshot” takes one."));
    return;
  }
  const head = ["event", "frames", "accuracy", ""].map((name) => make("th", { scope: "col" }, name || make("span", { class: "quiet" }, "")));
  const rows = saved.map((each) => make("tr", {},
    make("td", {}, `${each.seq}${each.abandoned ? " (left)" : ""}`),
    make("td", {}, count(each.frames)),
    make("td", {}, percent(each.accuracy)),
    make("td", {}, make("button", { type: "button", "aria-label": `Restore snapshot ${each.seq}`, onclick: () => confirm(each, learned(), say) }, "Restore"))));
  $("snapshots").replaceChildren(make("table", { class: "rows" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)));
}

function confirm(snapshot, learned, say) {
  $("ask-title").textContent = `Go back to snapshot ${snapshot.seq}?`;
  const left = snapshot.abandoned
    ? "What was learned since its branch was left is left behind"
    : `What was learned since is left behind: ${count(Math.max(0, learned - snapshot.frames))} of ${count(learned)} frames`;
  $("ask-text").textContent = `${left}. Nothing is erased from the journal, but only a snapshot leads back to now.`;
  const dialog = $("ask");
  $("ask-no").onclick = () => dialog.close();
  $("ask-yes").onclick = async () => {
    dialog.close();
    await say(async () => {
      await ask(`/snapshots/${snapshot.seq}/restore`, "POST");
      return `Going back to snapshot ${snapshot.seq}.`;
    });
  };
  dialog.showModal();
}
