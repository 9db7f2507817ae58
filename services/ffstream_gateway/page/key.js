// The key that lets this page in, asked for when the service wants one; it is kept as long as the tab is open.
import { $ } from "./dom.js";

const KEPT = "ffstream-key";

export function bearer() {
  const key = sessionStorage.getItem(KEPT);
  return key === null ? {} : { authorization: `Bearer ${key}` };
}

export function needKey(why) {
  $("key-why").textContent = why;
  if (!$("key").open) $("key").showModal();
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEPT, $("key-given").value.trim());
  location.reload();
});
