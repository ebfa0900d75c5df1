// Lanes: narrow headers, names that do not fit, titles of buttons, and feedback while lanes change.
(() => {
  window.tandemBusy = (busy) => {
    const lanes = document.getElementById("lanes");
    lanes?.classList.toggle("working", busy);
    lanes?.setAttribute("aria-busy", String(busy));
  };

  // Widths of a lane in pixels: at most NARROW, its head has icons instead of words; from ROOMY and WIDE on, some or
  // all buttons below an answer have words beside their icons.
  const NARROW = 430;
  const ROOMY = 420;
  const WIDE = 640;
  const WORDS = { setup: "Set up this lane", prompt: "Show the exact prompt of this lane" };
  const fit = () => {
    for (const lane of document.querySelectorAll("#lanes > .lane")) {
      // Aligned lanes have no box of their own, so the width is that of their header.
      const head = lane.querySelector(".head");
      if (!head?.clientWidth) continue;
      lane.classList.toggle("narrow", head.clientWidth <= NARROW);
      lane.classList.toggle("roomy", head.clientWidth >= ROOMY);
      lane.classList.toggle("wide", head.clientWidth >= WIDE);
      // The token line is empty for a moment when a conversation or set-up changes: it keeps its height meanwhile.
      const line = lane.querySelector(".meter-line");
      if (line?.querySelector(".meter")) lane.style.setProperty("--meter-line", `${line.offsetHeight}px`);
      const name = lane.querySelector(".pick input");
      lane.classList.toggle("name-cut", Boolean(name) && name.scrollWidth > name.clientWidth);
      if (!watched.has(head)) watched.add(head) && sizes.observe(head);
      for (const [id, words] of Object.entries(WORDS)) {
        const button = lane.querySelector(`.head [id^="${id}-"]`);
        if (button && !button.title) button.title = words;
      }
    }
  };
  const watched = new WeakSet();
  const sizes = new ResizeObserver(() => fit());

  const changed = tandemOncePerFrame(fit);
  // Watches only the headers and the rows of lanes, because the answers change ten times per second.
  const heads = new MutationObserver(changed);
  const found = new WeakSet();
  const seek = tandemOncePerFrame(() => {
    for (const place of document.querySelectorAll("#lanes, .lane, .lane .head, .lane .meter-line")) {
      if (found.has(place)) continue;
      found.add(place);
      const deep = place.matches(".head, .meter-line");
      heads.observe(place, { childList: true, subtree: deep, ...(deep ? {} : { attributeFilter: ["class"] }) });
      changed();
    }
  });
  new MutationObserver(seek).observe(document.documentElement, { childList: true, subtree: true });
})();
