// The colour scheme: the system's, until the reader chooses one.

import { ids } from "./elements.js";

function theme(name) {
  document.documentElement.dataset.theme = name;
  ids("theme").textContent = name === "dark" ? "Light" : "Dark";
  ids("theme").setAttribute("aria-label", `Switch to the ${name === "dark" ? "light" : "dark"} scheme`);
}

export function wireTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = (() => {
    try {
      return localStorage.getItem("conformance-theme");
    } catch {
      return null; // storage is shut where pages are opened from disk in some browsers
    }
  })();
  theme(stored ?? (dark.matches ? "dark" : "light"));
  if (!stored) dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  ids("theme").addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    theme(next);
    try {
      localStorage.setItem("conformance-theme", next);
    } catch {
      return;
    }
  });
}
