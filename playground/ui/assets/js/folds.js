// Collapse and expand lane settings and the less common decoding parameters.
(() => {
  const { tandemKeep: keep, tandemKept: kept } = window;

  // Lane settings and the less common decoding parameters are collapsed by default. The ids of the buttons
  // whose sections are open are stored.
  const open = new Set(kept("tandem-open").split(" ").filter(Boolean));
  const setUps = [0, 1, 2, 3].map((lane) => [`setup-${lane}`, `lane-${lane}`, "set-up"]);
  const folds = [...setUps, ["more", "bottom", "more"]];
  const save = () => keep("tandem-open", [...open].join(" "));
  const closeSetUps = () => setUps.forEach(([id]) => open.delete(id));
  // In two rows, settings lie over the lanes below them and would cover each other.
  const oneAtATime = () => document.querySelector("#lanes[data-two-rows]") !== null;
  const fold = (id) => {
    if (!open.delete(id)) {
      if (oneAtATime()) closeSetUps();
      open.add(id);
    }
    save();
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
    const all = setUps.filter(([id]) => document.getElementById(id));
    if (oneAtATime()) closeSetUps();
    for (const [id] of oneAtATime() ? all.slice(0, 1) : all) open.add(id);
    save();
    unfold();
  };
  // The settings cover a part of the answers, so they are closed when new ones are written.
  let writing = false;
  const follow = () => {
    const before = writing;
    writing = tandemWriting();
    if (writing && !before) {
      closeSetUps();
      save();
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
