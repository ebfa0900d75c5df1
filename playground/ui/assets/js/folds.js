// Collapse and expand lane settings and the less common decoding parameters.
(() => {
  const { tandemKeep: keep, tandemKept: kept } = window;

  // Lane settings and the less common decoding parameters are collapsed by default. The ids of the buttons
  // whose sections are open are stored.
  const open = new Set(kept("tandem-open").split(" ").filter(Boolean));
  const folds = [0, 1, 2, 3].map((lane) => [`setup-${lane}`, `lane-${lane}`, "set-up"]);
  folds.push(["more", "bottom", "more"]);
  const closeSetUps = () => folds.forEach(([id, holder]) => holder.startsWith("lane-") && open.delete(id));
  const fold = (id) => {
    if (!open.delete(id)) {
      // In two rows, settings lie over the lanes below them and would cover each other.
      if (document.querySelector("#lanes[data-two-rows]")) closeSetUps();
      open.add(id);
    }
    keep("tandem-open", [...open].join(" "));
    unfold();
  };
  const unfold = () => {
    for (const [id, holder, name] of folds) {
      const button = document.getElementById(id);
      if (!button) continue;
      document.getElementById(holder)?.classList.toggle(name, open.has(id));
      const state = String(open.has(id));
      if (button.getAttribute("aria-expanded") !== state) button.setAttribute("aria-expanded", state);
    }
  };
  window.tandemSetUp = (lane) => fold(`setup-${lane}`);
  window.tandemShowSetUps = () => {
    const all = folds.filter(([id, holder]) => holder.startsWith("lane-") && document.getElementById(id));
    const room = document.querySelector("#lanes[data-two-rows]") ? 1 : all.length;
    if (room === 1) closeSetUps();
    for (const [id] of all.slice(0, room)) open.add(id);
    keep("tandem-open", [...open].join(" "));
    unfold();
  };
  // The settings cover a part of the answers, so they are closed when new ones are written.
  let writing = false;
  const follow = () => {
    const before = writing;
    writing = document.getElementById("stop") !== null; // in the DOM only while answers are being generated
    if (writing && !before) {
      closeSetUps();
      keep("tandem-open", [...open].join(" "));
    }
    unfold();
  };
  addEventListener("click", ({ target }) => {
    const lane = target.closest?.(".lane-summary")?.closest(".lane:not(.blind)");
    if (lane) fold(lane.id.replace("lane", "setup"));
  });
  window.tandemMore = () => fold("more");
  new MutationObserver(tandemOncePerFrame(follow)).observe(document.documentElement, {
    childList: true,
    subtree: true,
  });
})();
