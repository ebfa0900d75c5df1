// The help text of the control that has the focus or is pointed at, on a line where it covers nothing.
(() => {
  const PLACES = "#bottom, .settings, .dialog-body, .dialog";
  const holder = (element) => element?.closest?.(".control");
  const text = (control) => control.querySelector(".info-text")?.textContent.trim() ?? "";
  const line = (control) => control.closest(PLACES)?.querySelector(":scope > .hint");

  const show = (control) => {
    const words = control ? text(control) : "";
    const own = words && line(control);
    for (const each of document.querySelectorAll(".hint")) {
      const name = control?.querySelector("[data-testid=block-info]")?.textContent.trim() ?? "";
      const shown = each === own ? [name, words].filter(Boolean).join(": ") : "";
      if (each.textContent !== shown) each.textContent = shown;
    }
  };
  let pointed = null;
  const update = () => show(pointed?.isConnected ? pointed : holder(document.activeElement));
  // Controls that a layout or scrolling moves under a pointer at rest are not pointed at.
  let place = "";
  const moves = ({ screenX, screenY }) => place !== (place = `${screenX} ${screenY}`);
  addEventListener("pointermove", moves, { passive: true });
  addEventListener("pointerover", (event) => {
    const { target, pointerType } = event;
    if (!moves(event)) return;
    const now = pointerType === "touch" ? null : holder(target);
    if (now === pointed) return;
    pointed = now;
    update();
  });
  addEventListener("focusin", () => {
    pointed = null; // the one that moved last counts
    update();
  });
  addEventListener("focusout", () => requestAnimationFrame(update));

  // The text is the description of its control, and the line repeats it for the eye.
  let numbered = 0;
  const connect = () => {
    for (const info of document.querySelectorAll(".control .info-text")) {
      const control = holder(info);
      info.id ||= `hint-${(numbered += 1)}`;
      for (const input of control.querySelectorAll("input, textarea")) {
        if (input.getAttribute("aria-describedby") !== info.id) input.setAttribute("aria-describedby", info.id);
      }
      const place = control.closest(PLACES);
      if (!place || line(control)) continue;
      const added = document.createElement("p");
      added.className = "hint";
      added.setAttribute("aria-hidden", "true");
      place.append(added);
    }
  };
  new MutationObserver(tandemOncePerFrame(connect)).observe(document.documentElement, { childList: true, subtree: true });
})();
