// Explanations of terms: shown while a term is pointed at, and after a click or tap on it.
(() => {
  const tip = document.createElement("div");
  tip.id = "term";
  tip.setAttribute("role", "note");
  tip.hidden = true;
  let shown = null; // the element whose term is explained
  let pinned = false; // whether it was clicked
  let timer = null;

  const place = () => {
    const { left, top, bottom } = shown.getBoundingClientRect();
    const { width, height } = tip.getBoundingClientRect();
    const below = bottom + 6;
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    tip.style.top = `${below + height < innerHeight - 8 ? below : Math.max(8, top - height - 6)}px`;
  };
  const hide = () => {
    clearTimeout(timer);
    if (!shown) return;
    if (shown.matches(".term")) shown.setAttribute("aria-expanded", "false");
    shown = null;
    pinned = false;
    tip.hidden = true;
  };
  const show = (element) => {
    clearTimeout(timer);
    if (shown === element) return;
    hide();
    shown = element;
    tip.innerHTML = tandemTerms[element.dataset.term].html;
    if (!tip.isConnected) document.body.append(tip);
    tip.hidden = false;
    if (element.matches(".term")) element.setAttribute("aria-expanded", "true");
    place();
  };
  const find = (target) => target.closest?.("[data-term]");

  addEventListener("pointerover", ({ target, pointerType }) => {
    if (pointerType === "touch" || pinned) return;
    const element = find(target);
    clearTimeout(timer);
    if (element) timer = setTimeout(() => show(element), 300);
    else if (shown && !tip.contains(target)) timer = setTimeout(hide, 300);
  }, { passive: true });
  addEventListener("click", ({ target }) => {
    const element = find(target);
    if (element?.matches(".term")) {
      const again = pinned && shown === element;
      hide();
      if (again) return;
      show(element);
      pinned = true;
    } else if (!tip.contains(target)) hide();
  });
  // In the capture phase, so that Esc hides the explanation before other scripts handle the key.
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !shown) return;
    event.preventDefault();
    event.stopPropagation();
    hide();
  }, true);
  // A tap may come before a swipe has ended, so the explanation follows its term as long as that can be seen.
  const follow = () => {
    if (!shown) return;
    const { left, right, top, bottom } = shown.getBoundingClientRect();
    if (right > 0 && left < innerWidth && bottom > 0 && top < innerHeight) place();
    else hide();
  };
  for (const type of ["scroll", "resize"]) addEventListener(type, follow, { capture: true, passive: true });
  addEventListener("focusout", ({ relatedTarget }) => {
    if (pinned && relatedTarget && relatedTarget !== shown && !tip.contains(relatedTarget)) hide();
  });

  const mark = tandemOncePerFrame(() => {
    if (shown && !shown.isConnected) hide();
    for (const [name, { controls }] of Object.entries(tandemTerms)) {
      if (!controls) continue;
      for (const control of document.querySelectorAll(controls)) {
        const label = control.querySelector("[data-testid=block-info]") ?? control;
        if (label.dataset.term !== name) label.dataset.term = name;
      }
    }
  });
  new MutationObserver(mark).observe(document.documentElement, { childList: true, subtree: true });
})();
