// The theme chosen in the View menu. Gradio follows the system's theme and shows it by a class of the body.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const theme = tandemView("theme");
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
