// The theme: that chosen in the View menu, else that of the address (a Space is embedded with `__theme=dark`), else
// the system's, which Gradio follows. Gradio shows the theme by a class of the body.
(() => {
  const asked = new URLSearchParams(location.search).get("__theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const theme = tandemView("theme") || (["dark", "light"].includes(asked) ? asked : "");
    document.documentElement.style.colorScheme = theme;
    if (!document.body) return;
    const dark = theme ? theme === "dark" : system.matches;
    if (document.body.classList.contains("dark") !== dark) document.body.classList.toggle("dark", dark);
  };
  // Runs before the next paint, so that the other theme is never visible.
  const follow = () => new MutationObserver(apply).observe(document.body, { attributeFilter: ["class"] });
  apply();
  if (document.body) follow();
  else addEventListener("DOMContentLoaded", () => (apply(), follow()));
  system.addEventListener("change", apply);
  addEventListener("tandem-view", apply);
})();
