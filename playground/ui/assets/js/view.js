// The View menu: how the page is displayed in this browser. The choices are stored in the browser.
(() => {
  const { tandemKeep: keep, tandemKept: kept } = window;

  // A choice is stored only if it differs from the default, which is the first option in the menu.
  const chosen = new Map(new URLSearchParams(kept("tandem-view")));
  const column = () => document.querySelector("main.contain > .column");
  const apply = () => {
    // Gradio repeats each CSS rule for descendants of `.contain`, so the attributes are also needed inside it.
    for (const place of [document.documentElement, column()]) {
      if (!place) continue;
      for (const name of new Set([...names(), ...chosen.keys()])) {
        const value = chosen.get(name);
        if (value === undefined) place.removeAttribute(`data-${name}`);
        else if (place.getAttribute(`data-${name}`) !== value) place.setAttribute(`data-${name}`, value);
      }
    }
  };
  const menu = () => document.getElementById("view-menu");
  const button = () => document.getElementById("view");
  const sets = () => [...(menu()?.querySelectorAll("fieldset[data-choice]") ?? [])];
  const names = () => sets().map((set) => set.dataset.choice);

  // The value of a choice, or "" for its default. `tandem-view` is dispatched on the window after each change.
  window.tandemView = (name) => chosen.get(name) ?? "";
  const choose = (name, value, isDefault) => {
    if (isDefault) chosen.delete(name);
    else chosen.set(name, value);
    keep("tandem-view", new URLSearchParams([...chosen]).toString());
    apply();
    dispatchEvent(new CustomEvent("tandem-view", { detail: name }));
  };
  apply();

  const isOpen = () => menu() && !menu().hidden;
  const open = () => {
    for (const set of sets()) {
      const inputs = [...set.querySelectorAll("input")];
      const value = chosen.get(set.dataset.choice);
      (inputs.find((input) => input.value === value) ?? inputs[0]).checked = true;
    }
    const place = button().getBoundingClientRect();
    menu().hidden = false;
    menu().style.top = `${place.bottom + 6}px`;
    menu().style.left = `${Math.max(8, Math.min(place.left, innerWidth - menu().offsetWidth - 8))}px`;
    menu().querySelector("input:checked")?.focus();
    label();
  };
  const close = (restore) => {
    menu().hidden = true;
    if (restore) button()?.focus();
    label();
  };
  const label = () => {
    const state = String(Boolean(isOpen()));
    if (button() && button().getAttribute("aria-expanded") !== state) button().setAttribute("aria-expanded", state);
  };
  addEventListener("click", ({ target }) => {
    if (target.closest?.("#view")) {
      if (isOpen()) close(true);
      else open();
    } else if (isOpen() && !target.closest?.("#view-menu")) close(false);
  });
  addEventListener("change", ({ target }) => {
    const set = target.closest?.("#view-menu fieldset[data-choice]");
    if (set) choose(set.dataset.choice, target.value, target === set.querySelector("input"));
  });
  addEventListener("focusout", ({ target, relatedTarget }) => {
    if (!isOpen() || !target.closest?.("#view-menu") || !relatedTarget) return;
    if (!relatedTarget.closest("#view-menu") && !relatedTarget.closest("#view")) close(false);
  });
  // In the capture phase, so that Esc closes the menu before other scripts handle the key.
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen()) return;
    event.preventDefault();
    event.stopPropagation();
    close(true);
  }, true);
  addEventListener("resize", () => isOpen() && close(false));

  const changed = tandemOncePerFrame(() => {
    if (column() && button()) apply();
    label();
  });
  new MutationObserver(changed).observe(document.documentElement, { childList: true, subtree: true });
})();
