// Light, dark, or as the system has it; remembered in this browser.
import { $ } from "./dom.js";

const KEY = "ffstream-theme";

export function setUpTheme() {
  const choice = $("theme");
  choice.value = localStorage.getItem(KEY) ?? "";
  const apply = () => {
    if (choice.value) document.documentElement.dataset.theme = choice.value;
    else delete document.documentElement.dataset.theme;
    localStorage.setItem(KEY, choice.value);
  };
  choice.addEventListener("change", apply);
  apply();
}
