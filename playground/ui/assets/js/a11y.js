// Keyboard shortcuts, focus handling, and announcements for screen readers.
(() => {
  const visible = (element) => element && element.getClientRects().length > 0;
  const dialogs = () => [...document.querySelectorAll(".dialog")].filter(visible);
  const CONTROLS = "button, input, textarea, select, summary, a[href], [tabindex]";
  const controls = (within) =>
    [...within.querySelectorAll(CONTROLS)].filter((each) => visible(each) && !each.disabled && each.tabIndex >= 0);

  // --- Dialogs: trap the focus while one is open, and restore it afterwards -----------------------

  let pressed = null;
  const press = ({ target }) => {
    const element = target.closest?.(CONTROLS);
    if (!element) return;
    // The element may be re-rendered in the meantime, so the ids of its ancestors are stored too.
    const places = [];
    for (let place = element; place; place = place.parentElement) if (place.id) places.push(place.id);
    pressed = { element, places };
  };
  addEventListener("pointerdown", press, true);
  addEventListener("keydown", press, true);
  const back = ({ element, places } = {}) => {
    if (element?.isConnected && visible(element) && !element.disabled) return element.focus();
    for (const place of places ?? []) {
      const there = document.getElementById(place);
      const control = there && (there.matches(CONTROLS) ? there : controls(there)[0]);
      if (visible(control) && !control.closest(".dialog")) return control.focus();
    }
    document.querySelector("#message textarea")?.focus();
  };

  let shown = [];
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
    const lost = document.activeElement === document.body || !visible(document.activeElement);
    if (gone.length && lost) back(gone.at(-1).opener);
  };

  const stay = (event) => {
    const dialog = shown.at(-1)?.dialog;
    if (event.key !== "Tab" || !dialog) return;
    const all = controls(dialog);
    const at = all.indexOf(document.activeElement);
    const inside = dialog.contains(document.activeElement);
    const wrapped = event.shiftKey ? at <= 0 : at === all.length - 1 || !inside;
    if (!all.length || !wrapped) return;
    event.preventDefault();
    all.at(event.shiftKey ? -1 : 0).focus();
  };

  // --- Keys --------------------------------------------------------------------------------------

  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  const typing = (target) => target.matches?.("input:not([type=checkbox], [type=range]), textarea, select");
  const click = (selector) => {
    const button = document.querySelector(selector);
    if (!visible(button) || button.disabled) return false;
    button.click();
    return true;
  };
  // A lane of aligned turns is higher than the window, so focusing it must not scroll to it.
  const focusOn = (element) => element?.focus({ preventScroll: Boolean(element.closest("[data-layout=aligned]")) });
  const withAlt = (event) => {
    const { key } = event;
    const code = /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : /^\d$/.test(key) ? `Digit${key}` : event.code;
    return tandemKeys.find((each) => each.key === code);
  };
  addEventListener("keydown", (event) => {
    stay(event);
    if (event.defaultPrevented || event.isComposing) return;
    const { target, key } = event;
    const other = event.ctrlKey || event.metaKey;
    const covered = dialogs().length > 0;
    if (key === "Escape") {
      if (target.matches?.("input[aria-expanded=true]")) return; // Esc closes the dropdown's list
      if (covered) controls(dialogs().at(-1)).find((each) => each.matches(".close"))?.click();
      else click("#stop");
    } else if (covered || event.repeat) {
      return;
    } else if (key === "Enter" && other) {
      if (click("#send")) event.preventDefault();
    } else if (key === "?" && !other && !event.altKey && !typing(target)) {
      if (click("#keys")) event.preventDefault();
    } else if (event.altKey && !other && !event.shiftKey && !event.getModifierState("AltGraph")) {
      const found = withAlt(event);
      if (!found || (mac && typing(target))) return;
      event.preventDefault();
      if (found.focus) focusOn(document.querySelector(found.focus));
      else {
        pressed = { element: document.querySelector(found.click), places: [] };
        click(found.click);
      }
    }
  });

  // --- Labels and announcements ------------------------------------------------------------------

  const said = document.createElement("div");
  said.className = "unseen";
  said.setAttribute("role", "status");
  const say = (words) => {
    const line = document.createElement("p");
    line.textContent = words;
    said.append(line);
    while (said.children.length > 4) said.firstChild.remove();
  };

  // An answer is announced once, when it is complete, rather than with each update (ten per second).
  const ENDS = { stop: "", length: ", cut at the limit", cancelled: ", stopped", error: ", error" };
  // The server reports which answer has finished, because a short answer may arrive complete in one update.
  const heard = {};
  const listen = (lane, letter) => {
    const { ended, finish } = document.querySelector(`#status-${lane} .figures`)?.dataset ?? {};
    if (!ended || heard[lane] === ended) return;
    heard[lane] = ended;
    setTimeout(() => {
      // The text is rendered slightly later than the metrics.
      const rows = document.querySelectorAll(`#live-${lane} .bot-row`);
      const text = (rows[rows.length - 1]?.innerText ?? "").trim();
      say(`Lane ${letter}${ENDS[finish] ?? ""}: ${text.length > 600 ? `${text.slice(0, 600)}\u2026` : text}`);
    }, 100);
  };

  const set = (element, name, value) => {
    if (element && element.getAttribute(name) !== value) element.setAttribute(name, value);
  };
  const label = () => {
    ["A", "B", "C", "D"].forEach((letter, lane) => {
      const column = document.getElementById(`lane-${lane}`);
      if (!column) return;
      set(column, "role", "region");
      set(column, "aria-label", `Lane ${letter}`);
      const talk = document.getElementById(`chat-${lane}`);
      set(talk, "role", "log");
      set(talk, "aria-live", "off");
      set(talk, "aria-label", `Conversation in lane ${letter}`);
      set(talk, "tabindex", "0");
      for (const [id, words] of [["setup", "Set up"], ["prompt", "Prompt of"], ["stop", "Stop"], ["latest", "Latest answer of"]]) {
        set(document.getElementById(`${id}-${lane}`), "aria-label", `${words} lane ${letter}`);
      }
      const alone = column.hasAttribute("data-alone");
      const only = document.getElementById(`alone-${lane}`);
      set(only, "aria-label", alone ? "Show all lanes" : `Show lane ${letter} alone`);
      set(only, "title", alone ? "Show all lanes (Alt+Z)" : `Show lane ${letter} alone (Alt+Z)`);
      listen(lane, letter);
    });
    set(document.getElementById("keys"), "aria-label", "Keyboard shortcuts");
    for (const { shown, click } of tandemKeys) {
      const button = click && document.querySelector(click);
      if (!button) continue;
      if (!button.title.includes(shown)) set(button, "title", shown);
      set(button, "aria-keyshortcuts", shown);
    }
    for (const body of document.querySelectorAll(".dialog-body")) set(body, "tabindex", "0");
  };

  let waiting = false;
  const changed = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (!said.isConnected && document.body) document.body.append(said);
      label();
      follow();
    });
  };
  new MutationObserver(changed).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["class", "style", "data-ended", "data-alone"],
  });
})();
