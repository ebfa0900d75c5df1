// Where the focus is: inside the open dialog, in the message box after an action on the conversation, and never
// on an element that no longer exists.
(() => {
  const visible = (element) => element && element.getClientRects().length > 0;
  const CONTROLS = "button, input, textarea, select, summary, a[href], [tabindex]";
  const usable = (element) => visible(element) && !element.disabled;
  const controls = (within) =>
    [...within.querySelectorAll(CONTROLS)].filter((each) => usable(each) && each.tabIndex >= 0);
  const dialogs = () => [...document.querySelectorAll(".dialog")].filter(visible);
  // The browser moves the focus to the body when the focused element is removed, hidden or disabled.
  const lost = () => !document.activeElement || document.activeElement === document.body || !visible(document.activeElement);

  // --- The message box --------------------------------------------------------------------------------

  const ACTIONS = [
    ...["#examples button", "#new", "#send", "#stop", ".stop-lane", "#retry", "#undo", "#replay", "#cancel-edit"],
    ...["#probing button", "[data-probe]"],
    ...["edit", "branch", "retry", "extend"].map((act) => `.lane [data-act=${act}]`),
  ].join();
  // On a touch screen, the focus opens the keyboard, so it moves only if typing is what the action is for.
  const TYPING = "#new, .lane [data-act=edit]";
  const touch = matchMedia("(pointer: coarse)");
  const box = () => document.querySelector("#message textarea");
  const toBox = (typing = false) => {
    const found = box();
    if (!visible(found) || (touch.matches && !typing)) return false;
    if (document.activeElement === found) return true;
    found.focus({ preventScroll: true });
    found.setSelectionRange(found.value.length, found.value.length);
    return true;
  };

  // --- Elements that are rendered again -----------------------------------------------------------------

  const named = (element) => element.getAttribute("aria-label") ?? element.textContent;
  const twins = (element, place) =>
    controls(place).filter((each) => each.tagName === element.tagName && named(each) === named(element));
  const describe = (element) => {
    const places = [];
    for (let place = element; place; place = place.parentElement) {
      if (place.id) places.push({ id: place.id, at: twins(element, place).indexOf(element) });
    }
    return { element, places };
  };
  // Return the element itself or what was rendered in its place; undefined if there is nothing.
  const again = ({ element, places }) => {
    if (element.isConnected) return usable(element) ? element : undefined;
    for (const { id, at } of places) {
      const place = document.getElementById(id);
      if (!place) continue;
      const found = place.matches(CONTROLS) ? place : (twins(element, place)[at] ?? twins(element, place)[0]);
      if (usable(found)) return found;
    }
  };

  let last = null;
  addEventListener("focusin", ({ target }) => (last = target.matches?.(CONTROLS) ? describe(target) : null), true);
  const recover = () => {
    if (!last || !lost() || usable(last.element)) return;
    const found = again(last);
    const dialog = dialogs().at(-1);
    last = null;
    if (found && (!dialog || dialog.contains(found))) found.focus({ preventScroll: true });
    else if (dialog) dialog.focus();
    else toBox();
  };

  // --- Dialogs: trap the focus while one is open, and restore it afterwards ---------------------------

  let pressed = null;
  let wanted = false;
  addEventListener(
    "click",
    ({ target }) => {
      const control = target.closest?.(CONTROLS);
      if (!visible(control)) return; // a script may click a hidden button
      pressed = describe(control);
      wanted = control.matches(ACTIONS);
      if (wanted && !control.closest(".dialog")) toBox(control.matches(TYPING));
    },
    true,
  );

  let shown = [];
  const back = (opener) => {
    if (wanted && toBox()) return;
    const found = opener && again(opener);
    if (found && !found.closest(".dialog")) found.focus({ preventScroll: true });
    else toBox();
  };
  const follow = () => {
    const now = dialogs();
    for (const dialog of now) {
      if (shown.some((each) => each.dialog === dialog)) continue;
      shown.push({ dialog, opener: pressed });
      dialog.setAttribute("role", "dialog");
      dialog.setAttribute("aria-modal", "true");
      dialog.setAttribute("aria-label", dialog.querySelector("h2")?.textContent ?? "");
      dialog.tabIndex = -1;
      if (!dialog.contains(document.activeElement)) dialog.focus();
    }
    const gone = shown.filter(({ dialog }) => !now.includes(dialog));
    shown = shown.filter(({ dialog }) => now.includes(dialog));
    if (gone.length && lost()) back(gone.at(-1).opener);
    else recover();
  };
  const stay = (event) => {
    const dialog = dialogs().at(-1);
    if (event.key !== "Tab" || !dialog) return;
    const all = controls(dialog);
    const at = all.indexOf(document.activeElement);
    const inside = dialog.contains(document.activeElement);
    const wrapped = event.shiftKey ? at <= 0 : at === all.length - 1 || !inside;
    if (!all.length || !wrapped) return;
    event.preventDefault();
    all.at(event.shiftKey ? -1 : 0).focus();
  };

  // A dialog that has just opened has the focus itself, and these keys scroll it.
  addEventListener("keydown", ({ key, target }) => {
    const body = target.matches?.(".dialog") && target.querySelector(":scope > .dialog-body");
    const [by, end] = { PageDown: [0.9], PageUp: [-0.9], ArrowDown: [0.1], ArrowUp: [-0.1], End: [0, 1], Home: [0, -1] }[key] ?? [];
    if (!body || by === undefined) return;
    body.scrollBy(0, end ? end * body.scrollHeight : by * body.clientHeight);
  });

  const changed = tandemOncePerFrame(follow);
  new MutationObserver(changed).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["class", "style", "disabled"],
  });

  window.tandemFocus = { visible, controls, dialogs, lost, stay };
})();
