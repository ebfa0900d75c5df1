// Keyboard shortcuts, drop-down lists, and announcements for screen readers.
(() => {
  const { visible, controls, dialogs, lost, stay } = window.tandemFocus;

  // --- Keys --------------------------------------------------------------------------------------

  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  const field = (target) => target.matches?.("input, textarea, select, [contenteditable]");
  const typing = (target) => field(target) && !target.matches("[type=checkbox], [type=range]");
  const click = (selector) => {
    const button = document.querySelector(selector);
    if (!visible(button) || button.disabled) return false;
    button.click();
    return true;
  };
  // A lane of aligned turns is higher than the window, so focusing it must not scroll to it.
  const focusOn = (element) => element?.focus({ preventScroll: Boolean(element.closest("[data-layout=aligned]")) });
  const withAlt = ({ key, code, shiftKey }) => {
    const place = /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : code;
    return tandemKeys.find((each) => each.key === place && each.shift === shiftKey);
  };
  const leave = () => {
    const vote = document.querySelector("#votes button");
    (visible(vote) && !vote.disabled ? vote : document.getElementById("chat-0"))?.focus();
  };
  // The lane whose open settings have the focus. A list loses it to the page when an option is clicked.
  const setUp = (target) =>
    target === document.body ? document.querySelector(".lane.set-up") : target.closest?.(".lane.set-up");
  const escape = (target) => {
    if (target.matches?.("input[aria-expanded=true]")) return; // Esc closes the list
    if (dialogs().length) controls(dialogs().at(-1)).find((each) => each.matches(".close"))?.click();
    else if (click("#stop")) return;
    else if (setUp(target)) {
      const button = setUp(target).querySelector(".head [id^=setup-]");
      button.click();
      button.focus({ preventScroll: true });
    } else if (target.closest?.("#message")) leave();
  };
  const handle = (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const { target, key } = event;
    const other = event.ctrlKey || event.metaKey;
    if (key === "Escape") {
      escape(target);
    } else if (dialogs().length || event.repeat) {
      return;
    } else if (key === "Enter" && other) {
      if (click("#send")) event.preventDefault();
    } else if (key === "?" && !other && !event.altKey && !typing(target)) {
      if (click("#keys")) event.preventDefault();
    } else if (event.altKey && !other && !event.getModifierState("AltGraph")) {
      const found = withAlt(event);
      if (!found || (mac && typing(target)) || (found.outside && field(target))) return;
      event.preventDefault();
      if (found.focus) focusOn(document.querySelector(found.focus));
      else click(found.click);
    }
  };
  addEventListener("keydown", handle);

  // Gradio's drop-down gives the focus away when an option is chosen. It gets it back without being told: it would
  // open its list, and send the choice again when the focus leaves it, over what has been changed since.
  let regained = null;
  const regain = (field) => setTimeout(() => {
    if (!lost() || !visible(field)) return;
    regained = field;
    field.focus({ preventScroll: true });
  });
  for (const kind of ["focus", "blur"]) {
    addEventListener(kind, (event) => {
      if (event.isTrusted && event.target === regained) event.stopImmediatePropagation();
      if (kind === "blur") regained = null;
    }, true);
  }
  addEventListener("mousedown", ({ target }) => {
    const field = document.activeElement;
    const touch = matchMedia("(pointer: coarse)").matches; // the focus would open the keyboard
    if (!touch && field.matches("input[role=combobox]") && target.closest?.("[role=option]")) regain(field);
  }, true);

  // Gradio's drop-down opens its list after every key, Tab and Shift included, even when the focus has left it by
  // then. It is given only the keys that are for the list.
  const OTHER = ["Tab", "Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock"];
  addEventListener(
    "keydown",
    (event) => {
      stay(event);
      const { target, key } = event;
      if (!target.matches?.("input[role=combobox]")) return;
      if (key === "Enter") regain(target);
      const closed = key === "Escape" && target.getAttribute("aria-expanded") !== "true";
      const ours = OTHER.includes(key) || /^F\d+$/.test(key) || event.altKey || event.ctrlKey || event.metaKey;
      if (!ours && !closed) {
        if (target === regained) target.dispatchEvent(new FocusEvent("focus")); // the key is for the list
        regained = null;
        return;
      }
      event.stopImmediatePropagation();
      handle(event);
    },
    true,
  );

  // Gradio's drop-down opens its list when it gets the focus: one whose list was closed with Esc has it already.
  addEventListener("pointerdown", ({ target }) => {
    if (target !== document.activeElement || !target.matches?.("input[role=combobox]")) return;
    if (target.getAttribute("aria-expanded") !== "true") target.blur(); // the click gives the focus back
  }, true);

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
  // What waits until the answers are complete. It keeps the focus, which a disabled button would lose.
  const WAITING = "#new, .above button, #square, #history input";
  const wait = () => {
    const busy = tandemWriting();
    for (const each of document.querySelectorAll(WAITING)) {
      if (busy) set(each, "aria-disabled", "true");
      else each.removeAttribute("aria-disabled");
    }
  };
  const TITLES = { send: "Send the message (Enter)", stop: "Stop all lanes (Esc)", keys: "Help and keyboard shortcuts (?)" };
  const label = () => {
    wait();
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
    set(document.getElementById("keys"), "aria-label", "Help and keyboard shortcuts");
    for (const [id, words] of Object.entries(TITLES)) set(document.getElementById(id), "title", words);
    for (const { shown, title, click } of tandemKeys) {
      const button = click && document.querySelector(click);
      if (!button) continue;
      if (!button.title.includes(shown)) set(button, "title", title);
      set(button, "aria-keyshortcuts", shown);
    }
    for (const body of document.querySelectorAll(".dialog-body")) set(body, "tabindex", "0");
    // Browsers add a list that scrolls to the Tab order; its input has the focus.
    for (const list of document.querySelectorAll("ul[role=listbox]")) set(list, "tabindex", "-1");
    for (const vote of document.querySelectorAll("#votes button")) {
      set(vote, "aria-pressed", String(vote.classList.contains("chosen")));
    }
  };

  const changed = tandemOncePerFrame(() => {
    if (!said.isConnected && document.body) document.body.append(said);
    label();
  });
  new MutationObserver(changed).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["class", "style", "data-ended", "data-alone"],
  });
})();
